/* A chunk whose items end with more than one answer of Redis may have. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { KeptOutcomeError } from '../../src/shared/errors.ts';
import type { RequestKey } from '../../src/shared/request-key.ts';
import { startHarness, submitBatch } from '../processor/harness.ts';
import { waitFor } from '../support/wait-for.ts';
import { startFleet } from './fleet.ts';
import { OUTCOME, ownerOn, record, seal, server, startOwner } from './owner.ts';

const ITEMS = 200;
const SIZE = 700_000;
/** ms. All of them are more than Redis gives in a third of it. */
const LEASE = 3_000;

/** Of outcomes that are as large as this. */
const sealing = (size = 1, open: typeof seal.open = async () => OUTCOME) => ({
  seal: async () => 'x'.repeat(size),
  open,
});

/** A process that is gone, and what it kept. */
async function leftBehind(queue: string, key: RequestKey, items: number, size: number) {
  const before = await startOwner(queue, sealing(size), LEASE);
  await before.liveness.register({ ...record(1, 1_000, key), items }, false);
  const kept = await Promise.all(
    Array.from({ length: items }, (_, index) => before.liveness.settle({ ...key, index }, OUTCOME)),
  );
  expect(kept).toEqual(Array(items).fill(true));
  await before.stop();
}

test.each([false, true])(
  'it is kept, and found by the next attempt (exclusive: %s)',
  async (exclusive) => {
    const queue = randomUUID();
    const { key } = record();
    await leftBehind(queue, key, ITEMS, SIZE);
    const next = await startOwner(queue, sealing(), LEASE);
    const registration = await next.liveness.register(
      { ...record(2, 2_000, key), items: ITEMS + 1 },
      exclusive,
    );
    expect(registration).toEqual({
      ...{ answer: 'run', cancelRequested: false },
      settled: [...Array(ITEMS).fill(OUTCOME), undefined],
    });
    expect(await next.liveness.settledItems(key, ITEMS + 1)).toEqual([
      ...Array(ITEMS).fill(OUTCOME),
      undefined,
    ]);
    await next.stop();
  },
);

test('what cannot be read to its end is not sent again, and goes back to nobody', async () => {
  const queue = randomUUID();
  const { key } = record();
  await leftBehind(queue, key, 3, SIZE);
  const next = await startOwner(
    queue,
    sealing(1, async () => {
      next.network.cut();
      return OUTCOME;
    }),
  );
  const again = { ...record(2, 2_000, key), items: 3 };
  await expect(next.liveness.register(again, true)).rejects.toBeInstanceOf(KeptOutcomeError);
  next.network.restore();
  const request = `patient:{default/${queue}}:request:*`;
  const owner = async () => server.redis.hget((await server.redis.keys(request))[0]!, 'owner');
  await waitFor(async () => (await owner()) === null);
  await next.stop();
});

test('what another process has meanwhile is not run here', async () => {
  const queue = randomUUID();
  const { key } = record();
  await leftBehind(queue, key, 3, SIZE);
  const [request] = await server.redis.keys(`patient:{default/${queue}}:request:*`);
  const next = await startOwner(
    queue,
    sealing(1, async () => {
      await server.redis.hset(request!, 'owner', 'another');
      return OUTCOME;
    }),
  );
  const again = { ...record(2, 2_000, key), items: 3, skipsUnreadable: true };
  await expect(next.liveness.register(again, false)).rejects.toThrow('no longer here');
  await next.stop();
});

test('where its status is all that is told of a response, no more of it is kept', async () => {
  const queue = randomUUID();
  const { key } = record();
  await using harness = await startHarness({ liveness: ownerOn(server, queue).liveness });
  const keep = (position: number) => (['all', 'status', 'none'] as const)[position % 3]!;
  const paths = ['/bytes/9?0', '/bytes/9?1', '/bytes/9?2', '/hold'];
  await submitBatch(harness, paths, { key, keep });
  const kept = await waitFor(async () => {
    const [request] = await server.redis.keys(`patient:{default/${queue}}:request:*`);
    const fields = [0, 1, 2].map((position) => `outcome:${position}`);
    const sealed = request ? await server.redis.hmget(request, ...fields) : [null];
    return sealed.every((text) => text !== null) && sealed;
  });
  expect(kept.map((text) => text.includes('xxxxxxxxx'))).toEqual([true, false, false]);
  const outcomes = (await harness.liveness.settledItems(key, 3))!;
  expect(outcomes).toMatchObject(Array(3).fill({ kind: 'response', response: { status: 200 } }));
  harness.target.release();
  await waitFor(() => harness.handler.batches.length === 1);
});

test('after a crash what had ended is not sent again', async () => {
  const env = { PATIENT_LEASE_TTL: '6s', PATIENT_MAX_CONNECTIONS: '10' };
  await using fleet = await startFleet({ env });
  const { target, redis } = fleet;
  const victim = await fleet.worker();
  const requests = Array.from({ length: ITEMS - 1 }, (_, i) => ({
    url: target.url(`/bytes/${SIZE}?${i}`),
    method: i % 2 ? ('POST' as const) : ('GET' as const),
  }));
  const handle = await fleet.patient.submitBatch({
    requests: [...requests, target.url('/hold')],
  });
  const settled = async (): Promise<number> => {
    const [request] = await redis.redis.keys(`patient:{default/${fleet.taskQueue}}:request:*`);
    const fields = request ? await redis.redis.hkeys(request) : [];
    return fields.filter((field) => field.startsWith('outcome:')).length;
  };
  await expect.poll(settled, { timeout: 60_000, interval: 100 }).toBe(ITEMS - 1);
  victim.kill('SIGKILL');
  await target.waitFor(({ inFlight }) => inFlight === 0);
  await fleet.worker();
  await target.waitFor(({ held }) => held === 1, 60_000);
  target.release();
  // Inline there is no room for all of them: what did not fit ended with a response all the same.
  const { outcomes = [] } = await handle.result();
  const statuses = outcomes.map((outcome) =>
    'response' in outcome ? outcome.response.status : outcome.error.response?.status,
  );
  expect(statuses).toEqual(Array(ITEMS).fill(200));
  expect(target.total).toBe(ITEMS + 1);
}, 180_000);
