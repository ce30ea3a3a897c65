import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Flow } from '../../src/flow/flow.ts';
import { MemoryLedger } from '../../src/flow/memory.ts';
import { waitFor } from '../support/wait-for.ts';
import { memoryFlow, OK, pass, sentAway } from './processes.ts';

const never = new AbortController().signal;

test('what would wait too long for permits is sent away, by how fast they have come', async () => {
  const flow = memoryFlow({ maxWait: 1_000 });
  const two = { key: 'permits', limits: { concurrency: 2 }, cost: 1, pointer: undefined };
  const waits = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const turn = await flow.acquire('host', two, never)!;
      if ('later' in turn) return turn.later;
      await pause(50);
      turn.release(OK);
      return 0;
    }),
  );
  const away = waits.filter((wait) => wait > 0);
  // All of them take five seconds.
  expect(away.length).toBeGreaterThan(100);
  expect(Math.min(...away)).toBeGreaterThan(1_000);
  expect(waits.slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
});

test('a pause says nothing of how fast permits come: nobody is sent away for it', async () => {
  const flow = memoryFlow({ maxWait: 1_000 });
  await flow.start();
  const limits = { concurrency: 1 };
  const times: number[] = [];
  const one = async (): Promise<void> => {
    const permit = await pass(flow, 'paused', limits);
    times.push(performance.now());
    await pause(5);
    permit.release(OK);
  };
  const all = Promise.all(Array.from({ length: 40 }, one));
  await waitFor(() => times.length > 10);
  await flow.admin.pause('paused');
  const paused = performance.now();
  await waitFor(() => performance.now() - paused > 3_000);
  await flow.admin.resume('paused');
  await all;
  await flow.stop();
});

test('what was granted before a pause, and is heard of after it, counts no more', async () => {
  let arrive = (): void => undefined;
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  class SlowToAnswer extends MemoryLedger {
    override async ask(...asked: Parameters<MemoryLedger['ask']>) {
      const answer = await super.ask(...asked);
      await arrived;
      return answer;
    }
  }
  const flow = new Flow({ limits: {}, maxWaiting: 10, ledger: new SlowToAnswer() });
  await flow.start();
  const passing = pass(flow, 'late', { concurrency: 1 });
  await flow.admin.pause('late');
  arrive();
  await expect.poll(async () => (await flow.admin.show('late')).inFlight).toBe(0);
  await flow.admin.resume('late');
  (await passing).release(OK);
  await flow.stop();
});

test('maxWaiting: no more than that wait here; another key has its share of it', async () => {
  const flow = memoryFlow({ maxWaiting: 4 });
  const ask = (key: string) =>
    flow.acquire(
      'host',
      { key, limits: { concurrency: 1 }, cost: 1, pointer: undefined },
      controller.signal,
    )!;
  const controller = new AbortController();
  await Promise.all([ask('a'), ask('b')]);
  const waiting = [1, 2, 3, 4].map(() => ask('a'));
  expect(await sentAway(ask('a'))).toBeGreaterThanOrEqual(5_000);
  waiting.push(ask('b'));
  controller.abort(new Error('enough'));
  for (const each of waiting) await expect(each).rejects.toThrow('enough');
});
