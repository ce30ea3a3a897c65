import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { expect, test } from 'vitest';
import type { BatchResult } from '../../src/index.ts';
import { LEASE_TTL, startFleet } from './fleet.ts';

/** Found by the lease, not by the heartbeat timeout of three minutes. */
const RECOVERED = LEASE_TTL + 60_000;

function kinds({ outcomes = [] }: BatchResult): (number | string)[] {
  return outcomes.map((outcome) =>
    'response' in outcome ? outcome.response.status : outcome.error.type,
  );
}

test('after a crash only what had not ended runs again, under its resend policy', async () => {
  await using fleet = await startFleet();
  const { target } = fleet;
  const victim = await fleet.worker();
  const paths = ['/status/200?0', '/status/201?1', '/hold?2', '/hold?3', '/status/202?4'];
  const handle = await fleet.patient.submitBatch({
    requests: paths.map((path, i) => ({
      url: target.url(path),
      method: i === 1 || i === 3 ? 'POST' : 'GET',
    })),
  });
  await target.waitFor(({ held, total }) => held === 2 && total === 5);
  // What has ended is in Redis before its process dies.
  const request = `patient:{default/${fleet.taskQueue}}:request:*`;
  const [key] = await fleet.redis.redis.keys(request);
  await expect
    .poll(
      async () =>
        (await fleet.redis.redis.hkeys(key!)).filter((f) => f.startsWith('outcome:')).length,
    )
    .toBe(3);
  victim.kill('SIGKILL');
  await target.waitFor(({ inFlight }) => inFlight === 0);
  await fleet.worker();
  await target.waitFor(({ held }) => held === 1, RECOVERED);
  target.release();
  const result = await handle.result();
  expect(kinds(result)).toEqual([200, 201, 200, 'OutcomeUnknownError', 202]);
  const hits = paths.map((path) => target.hits.filter((hit) => hit.path === path).length);
  expect(hits).toEqual([1, 1, 2, 1, 1]);
  await expect.poll(() => fleet.redis.redis.keys(request)).toEqual([]);
});

test.each(['away', 'emptied'])(
  'what an item ended with while Redis was %s is there again once it is back',
  async (fault) => {
    const answers = new Map<string, ServerResponse>();
    await using fleet = await startFleet({
      target: { handler: ({ url }, response) => !!answers.set(url!, response) },
    });
    const { target, redis } = fleet;
    const victim = await fleet.worker();
    const requests = ['/first', '/second'].map((path) => {
      return { method: 'POST' as const, url: target.url(path) };
    });
    const handle = await fleet.patient.submitBatch({ requests });
    await target.waitFor(() => answers.size === 2);
    const [request] = await redis.redis.keys(`patient:{default/${fleet.taskQueue}}:request:*`);
    if (fault === 'away') await redis.kill();
    answers.get('/first')!.end('paid');
    await target.waitFor(({ inFlight }) => inFlight === 1);
    if (fault === 'away') await redis.restart();
    else {
      await expect.poll(() => redis.redis.hget(request!, 'outcome:0')).toBeTruthy();
      await redis.redis.flushall();
    }
    await expect.poll(() => redis.redis.hget(request!, 'outcome:0')).toBeTruthy();
    victim.kill('SIGKILL');
    await fleet.worker();
    expect(kinds(await handle.result())).toEqual([200, 'OutcomeUnknownError']);
    expect(target.total).toBe(2);
  },
  90_000,
);

test('a deploy: what a drained worker gave back goes to the next, and nothing is lost', async () => {
  await using fleet = await startFleet();
  const { target } = fleet;
  const old = await fleet.worker({ PATIENT_MAX_CONNECTIONS: '4', PATIENT_DRAIN_TIMEOUT: '30s' });
  const id = randomUUID();
  const handle = await fleet.patient.submitBatch({
    requests: Array.from({ length: 12 }, (_, i) => ({
      url: target.url(`/delay/400?${id}-${i}`),
      method: i % 2 ? 'POST' : 'GET',
    })),
    chunkSize: 6,
  });
  await target.waitFor(({ inFlight }) => inFlight === 4);
  await fleet.worker();
  old.kill('SIGTERM');
  expect((await old.end()).code).toBe(0);
  expect(kinds(await handle.result())).toEqual(Array(12).fill(200));
  const posts = target.hits.filter(({ method }) => method === 'POST');
  expect(posts).toHaveLength(6);
});
