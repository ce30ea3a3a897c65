import { randomUUID } from 'node:crypto';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, test } from 'vitest';
import type { SinkItem } from '../../src/index.ts';
import { HeldOutcomes } from '../../src/liveness/held-outcomes.ts';
import { createHeldRedis } from '../../src/liveness/held-redis.ts';
import { KeptOutcomeError } from '../../src/shared/errors.ts';
import { toJson } from '../../src/shared/json-payload.ts';
import type { Outcome } from '../../src/shared/outcome.ts';
import { quietRuntime } from '../support/environment.ts';
import { startFleet, type Fleet } from './fleet.ts';
import { OUTCOME, record, seal, server, startOwner } from './owner.ts';

const outcomes = (positions: number[]) =>
  new Map<number, Outcome>(positions.map((position) => [position, OUTCOME]));

test('what one process holds another one gives, part by part', async () => {
  const queue = randomUUID();
  const owners = await Promise.all([startOwner(queue), startOwner(queue)]);
  const [a, b] = owners.map(({ liveness }) => {
    return new HeldOutcomes(createHeldRedis(() => liveness.access, seal));
  });
  const { key } = record(1);
  await a!.hold(key, outcomes([0, 1, 2, 5]));
  const [name] = await server.redis.keys(`patient:{default/${queue}}:held:*`);
  expect(await server.redis.pttl(name!)).toBeGreaterThan(60_000);
  expect(await b!.collect(key, [0, 1], [2, 5])).toEqual(outcomes([0, 1]));
  // The answer can have been lost.
  expect(await b!.collect(key, [0, 1], [2, 5])).toEqual(outcomes([0, 1]));
  // The run id is another one in a run that goes on.
  expect(await a!.collect({ ...key, runId: 'next' }, [2], [5])).toEqual(outcomes([2]));
  expect((await server.redis.hkeys(name!)).toSorted()).toEqual(['2', '5']);
  expect(await b!.collect(key, [0, 5], [])).toEqual(outcomes([5]));
  expect(await server.redis.pttl(name!)).toBeLessThanOrEqual(10 * 60_000);
  expect(await b!.collect(record(1).key, [0], [])).toEqual(new Map());
  for (const { stop } of owners) await stop();
});

test('without Redis it is held in the process', async () => {
  const { liveness, network, stop } = await startOwner(randomUUID());
  const held = new HeldOutcomes(createHeldRedis(() => liveness.access, seal));
  network.cut();
  const { key } = record(1);
  await held.hold(key, outcomes([0, 3]));
  expect(await held.collect(key, [0], [3])).toEqual(outcomes([0]));
  expect(await held.collect(key, [3], [])).toEqual(outcomes([3]));
  await stop();
});

test('what is held in the process goes to Redis once that is back', async () => {
  const { liveness, network, stop } = await startOwner(randomUUID());
  const [a, b] = [1, 2].map(() => new HeldOutcomes(createHeldRedis(() => liveness.access, seal)));
  network.cut();
  const { key } = record(1);
  await a!.hold(key, outcomes([0, 3]));
  network.restore();
  await expect
    .poll(async () => (await b!.collect(key, [0], [3]).catch(() => new Map())).size)
    .toBe(1);
  expect(await a!.stop(0, async () => true)).toBe(0);
  await stop();
});

test('one that cannot be read keeps none of the others back, and stays for another process', async () => {
  const { liveness, stop } = await startOwner(randomUUID());
  const unreadable = new KeptOutcomeError('encryptionKeys: no key "b"');
  const held = new HeldOutcomes(
    createHeldRedis(() => liveness.access, {
      ...seal,
      async open(key, sealed) {
        if (key.index === 1) throw unreadable;
        return seal.open(key, sealed);
      },
    }),
  );
  const { key } = record(1);
  await held.hold(key, outcomes([0, 1, 2]));
  const found = await held.collect(key, [0, 1, 2], []);
  expect([...found.values()]).toEqual([OUTCOME, unreadable, OUTCOME]);
  const [name] = await server.redis.keys(`*:held:*${key.workflowId}*`);
  expect(await server.redis.pttl(name!)).toBeGreaterThan(10 * 60_000);
  await stop();
});

interface HeldBatch {
  batch: Awaited<ReturnType<Fleet['patient']['submitBatch']>>;
  /** What the sink has. */
  saved: SinkItem[];
  /** Before it the sink takes no more than what fitted into the result of the activity. */
  go: () => void;
}

/** A batch of 40 responses of 100 KB, none of which is lost or sent twice. */
async function heldBatch(fleet: Fleet, use: (held: HeldBatch) => Promise<void>): Promise<void> {
  quietRuntime();
  const { target, taskQueue, temporalAddress: address } = fleet;
  let go = (): void => undefined;
  const going = new Promise<void>((resolve) => (go = resolve));
  const saved: SinkItem[] = [];
  const save = async (items: SinkItem[]): Promise<void> => {
    saved.push(...items);
    await going;
  };
  const connection = await NativeConnection.connect({ address });
  const user = await Worker.create({
    ...{ connection, taskQueue: `${taskQueue}:user`, activities: { save } },
  });
  await user.runUntil(async () => {
    const batch = await fleet.patient.submitBatch({
      requests: Array.from({ length: 40 }, (_, i) => ({
        ...{ url: target.url(`/bytes/100000?${i}`), method: 'POST', body: 'x' },
      })),
      sink: { activity: 'save', taskQueue: `${taskQueue}:user` },
    });
    // What fitted has come, the rest is held.
    await expect.poll(() => saved.length).toBeGreaterThan(0);
    expect(saved.length).toBeLessThan(40);
    await use({ batch, saved, go });
  });
  await connection.close();
  expect(new Set(saved.map(({ index }) => index)).size).toBe(40);
  expect(target.total).toBe(40);
}

test('a process that is killed with outcomes in hand loses none', async () => {
  await using fleet = await startFleet();
  const victim = await fleet.worker();
  await heldBatch(fleet, async ({ batch, go }) => {
    victim.kill('SIGKILL');
    await victim.end();
    await fleet.worker();
    go();
    expect(await batch.result()).toMatchObject({ succeeded: 40, failed: 0 });
  });
});

/** As it is in Redis, encrypted with a key that no process here has. */
const FOREIGN = JSON.stringify([
  toJson({
    metadata: {
      encoding: Buffer.from('binary/encrypted'),
      'encryption-key-id': Buffer.from('b'),
    },
  }),
]);

test('one that cannot be read comes later; a cancel does not wait for it', async () => {
  await using fleet = await startFleet();
  await fleet.worker();
  const { redis } = fleet.redis;
  await heldBatch(fleet, async ({ batch, saved, go }) => {
    const [name] = await redis.keys('*:held:*');
    const [later, never] = await redis.hkeys(name!);
    const whole = await redis.hget(name!, later!);
    await redis.hset(name!, later!, FOREIGN, never!, FOREIGN);
    go();
    const ended = () => new Set(saved.map(({ index }) => String(index)));
    await expect.poll(() => ended().size).toBe(38);
    await redis.hset(name!, later!, whole!);
    await expect.poll(() => ended().has(later!)).toBe(true);
    await batch.cancel();
    await expect(batch.result()).rejects.toThrow();
    expect(saved.find(({ index }) => String(index) === never)).toMatchObject({
      error: {
        ...{ type: 'UnknownError', phase: 'sent' },
        message: expect.stringContaining('encrypted with key "b"; this process has none'),
      },
    });
  });
});
