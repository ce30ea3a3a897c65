import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RequestSpec } from '../../src/index.ts';
import { startTargetServer, type Hit } from '../../src/testing/target-server.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { failureOf, start } from './support/outcomes.ts';

/** As fast as Temporal starts another attempt. */
const FAST = { initialInterval: 1, maximumInterval: 1 };

let env: Environment;

beforeAll(async () => {
  env = await startEnvironment();
});
afterAll(() => env?.[Symbol.asyncDispose]());

/** A URL whose hits are told from all others. */
function urlOf(path: string): { url: string; hits: () => Hit[] } {
  const id = randomUUID();
  const url = env.target.url(`${path}${path.includes('?') ? '&' : '?'}id=${id}`);
  return { url, hits: () => env.target.hits.filter((hit) => hit.path.includes(id)) };
}

const flaky = (failures: number, status: number, query = '') =>
  urlOf(`/flaky/${randomUUID()}/${failures}/${status}${query}`);

const send = (spec: RequestSpec) => env.patient.request({ retry: FAST, ...spec });

describe.concurrent('the policy', () => {
  test("the last try's response is delivered", async () => {
    const { url, hits } = flaky(9, 503);
    const response = await send({ url, retry: { ...FAST, maximumAttempts: 2 } });
    expect(response).toMatchObject({ status: 503, attempt: 2 });
    expect(response.json()).toMatchObject({ failed: 2 });
    expect(hits()).toHaveLength(2);
  });

  test("or raised, with the last try's", async () => {
    const { url, hits } = flaky(9, 503);
    const retry = { ...FAST, maximumAttempts: 2 };
    const error = await failureOf(send({ url, raiseErrorResponses: true, retry }));
    expect(error).toMatchObject({ type: 'HttpStatusError', attempt: 2 });
    expect(JSON.parse(error.response!.body!)).toMatchObject({ failed: 2 });
    expect(hits()).toHaveLength(2);
  });

  test('raiseErrorResponses of what a retry mends raises nothing', async () => {
    const { url } = flaky(1, 503);
    expect(await send({ url, raiseErrorResponses: true })).toMatchObject({ attempt: 2 });
  });

  test('ids are the same on every try', async () => {
    const { url, hits } = flaky(2, 503);
    const response = await send({ method: 'POST', url, idempotencyKey: true });
    expect(response.attempt).toBe(3);
    const ids = hits().map(({ headers }) => [headers['x-request-id'], headers['idempotency-key']]);
    expect(ids).toEqual(Array(3).fill([response.requestId, response.requestId]));
  });

  test('a requestId of the spec goes in the header, a key of its own beside it', async () => {
    const { url, hits } = urlOf('/echo');
    const requestId = `order-${randomUUID()}`;
    await send({ method: 'POST', url, requestId, idempotencyKey: 'key-17' });
    expect(hits()[0]!.headers).toMatchObject({
      'x-request-id': requestId,
      'idempotency-key': 'key-17',
    });
  });

  test('the first delay is initialInterval, the next longer by the coefficient', async () => {
    const { url, hits } = flaky(2, 503);
    const retry = { initialInterval: 1000, backoffCoefficient: 2 };
    expect(await send({ url, retry })).toMatchObject({ attempt: 3 });
    const [first, second, third] = hits().map(({ at }) => at);
    // Less the jitter of a fifth; more by whatever Temporal takes.
    expect(second! - first!).toBeGreaterThan(790);
    expect(third! - second!).toBeGreaterThan(1590);
  });

  test('Retry-After wins, also over a longer interval', async () => {
    const { url, hits } = flaky(1, 503, '?retryAfter=2');
    expect(await send({ url, retry: FAST })).toMatchObject({ status: 200, attempt: 2 });
    const [first, second] = hits().map(({ at }) => at);
    expect(second! - first!).toBeGreaterThan(1990);

    const soon = flaky(1, 429, '?retryAfter=0');
    const retry = { initialInterval: '1h', maximumInterval: '1h' };
    expect(await send({ method: 'POST', url: soon.url, retry })).toMatchObject({ attempt: 2 });
  });

  test('Retry-After is capped', async () => {
    const { url } = flaky(1, 503, '?retryAfter=3600');
    const response = await send({ url, retry: { ...FAST, maxRetryAfter: 1 } });
    expect(response).toMatchObject({ status: 200, attempt: 2 });
  });

  test('Temporal has no retries of its own: its attempts are the tries', async () => {
    const { url, hits } = flaky(2, 503);
    const handle = await start(env, 'patientGet', { url, retry: FAST });
    expect(await handle.result()).toMatchObject({ attempt: 3 });
    const { events } = await handle.fetchHistory();
    const started = events!.flatMap(({ activityTaskStartedEventAttributes: s }) => s ?? []);
    expect(started.map(({ attempt }) => attempt)).toEqual([3]);
    expect(hits()).toHaveLength(3);
  });
});

describe.concurrent('the deadline', () => {
  test('ends a try that runs', async () => {
    const { url, hits } = urlOf('/hold');
    const error = await failureOf(send({ url, deadline: 2_000 }));
    expect(error).toMatchObject({
      type: 'TimeoutError',
      message: expect.stringContaining('the deadline of 2000 ms for all tries passed'),
      phase: 'sent',
      attempt: 1,
    });
    expect(hits()).toHaveLength(1);
  });

  test('counts from the first try', async () => {
    await using target = await startTargetServer({
      // The second request is never answered.
      handler: (_, response) => target.total > 1 || Boolean(response.writeHead(503).end()),
    });
    const retry = { initialInterval: 1_000 };
    const error = await failureOf(send({ url: target.url('/'), deadline: 6_000, retry }));
    expect(error).toMatchObject({ type: 'TimeoutError', phase: 'sent', attempt: 2 });
    expect(error.message).toContain('the deadline of 6000 ms for all tries passed');
    // What the wait for it has left of them.
    expect(error.durationMs).toBeLessThan(5_500);
    expect(target.total).toBe(2);
  });

  test('of which a retry would start too late delivers the last response', async () => {
    const { url, hits } = flaky(9, 503, '?retryAfter=60');
    const response = await send({ url, deadline: 20_000 });
    expect(response).toMatchObject({ status: 503, attempt: 1 });
    expect(hits()).toHaveLength(1);
  });

  test('of which a retry would start too late delivers the last error', async () => {
    const retry = { initialInterval: '1h', maximumInterval: '1h' };
    const error = await failureOf(send({ url: 'http://127.0.0.1:1/', deadline: 20_000, retry }));
    expect(error).toMatchObject({ type: 'ConnectionError', phase: 'connect', attempt: 1 });
  });
});
