/** The parts of Temporal's workflow code are replaced: they work in a workflow alone. */
import { setImmediate } from 'node:timers/promises';
import { beforeEach, expect, test, vi } from 'vitest';
import { checkBatch } from '../../src/shared/batch-spec.ts';
import type { BatchSpec, SourcePage } from '../../src/shared/wire-batch.ts';
import { BatchSupply } from '../../workflows/batch-supply.ts';

const page = vi.hoisted(() => vi.fn<(cursor: unknown) => Promise<unknown>>());
/** Those that wait, and what they wait for. */
const resting = vi.hoisted(() => ({
  now: [] as { until: () => boolean; ms: number; end: (value: boolean) => void }[],
}));

vi.mock('@temporalio/workflow', async (original) => ({
  ...(await original<object>()),
  proxyActivities: () => ({ pages: page }),
  condition: (until: () => boolean, ms: number) =>
    new Promise<boolean>((end) => resting.now.push({ until, ms, end })),
}));

const url = 'https://api.test/';
const NOW = 1_700_000_000_000;

function supplyOf(batch: BatchSpec): BatchSupply {
  return new BatchSupply(checkBatch(batch), 'queue', undefined, () => undefined);
}

const always = (): boolean => true;
const never = (): boolean => false;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW, toFake: ['Date'] });
  page.mockReset();
  resting.now = [];
  return () => vi.useRealTimers();
});

/** Requests with the delays after which they may be tried again. */
async function waiting(delays: number[], defaults = {}): Promise<BatchSupply> {
  const supply = supplyOf({ requests: delays.map(() => url), defaults });
  const items = (await supply.next(always, never))!;
  for (const [i, item] of items.entries()) {
    supply.retry({ ...item, since: NOW, tries: 1 }, delays[i]!);
  }
  supply.giveBack(items);
  return supply;
}

async function untilItRests(): Promise<void> {
  await setImmediate();
  expect(resting.now).toHaveLength(1);
}

/** Ends the rest as Temporal does, when its time has come or its reason is there. */
async function endRest(): Promise<void> {
  const [{ until, ms, end }] = resting.now.splice(0) as [(typeof resting.now)[0]];
  if (!until()) vi.advanceTimersByTime(ms);
  end(until());
  await Promise.resolve();
}

test('a long Retry-After costs no other its deadline', async () => {
  const supply = await waiting([1_000, 600_000], { deadline: '5m' });
  const round = supply.next(always, never);
  await untilItRests();
  expect(supply.retrying).toBe(2);
  await endRest();
  expect((await round)!.map(({ index }) => index)).toEqual([0]);
  expect(Date.now()).toBe(NOW + 1_000);
});

test('a round that rests is left when the batch stops, and all of it waits again', async () => {
  const supply = await waiting([60_000, 61_000]);
  let stops = false;
  const round = supply.next(always, () => stops);
  await untilItRests();
  stops = true;
  await endRest();
  expect(await round).toBeUndefined();
  expect(Date.now()).toBe(NOW);
  expect(supply.takeRest().map(({ index }) => index)).toEqual([0, 1]);
});

test('one rests at a time, and what is due before it goes first', async () => {
  const supply = await waiting([300_000, 400_000]);
  const round = supply.next(always, never);
  await untilItRests();
  expect(await supply.next(always, never)).toBeUndefined();
  expect(supply.hasMore(always)).toBe(false);
  supply.retry({ index: 2, spec: url, tries: 1, since: NOW }, 1_000);
  await endRest();
  expect(await round).toBeUndefined();
  expect(supply.hasMore(always)).toBe(true);
  const next = supply.next(always, never);
  await untilItRests();
  await endRest();
  expect((await next)!.map(({ index }) => index)).toEqual([2]);
  expect(supply.retrying).toBe(2);
});

test('pages without requests are read no longer than the batch reads on', async () => {
  let pages = 0;
  page.mockImplementation(async (): Promise<SourcePage> => ({ requests: [], cursor: ++pages }));
  const source = { activity: 'pages', taskQueue: 'mine' };
  const supply = supplyOf({ source, keep: 'none' });
  expect(await supply.next(() => pages < 10, never)).toBeUndefined();
  expect(pages).toBe(10);
  expect(supply.state.cursor).toBe(10);
  expect(supply.isEmpty).toBe(false);
});

test('what the next run is given is counted with all that comes along', async () => {
  page.mockResolvedValue({ requests: [url] } satisfies SourcePage);
  const text = (kib: number): string => 'x'.repeat(kib * 1024 - 100);
  const supply = supplyOf({
    source: { activity: 'pages', taskQueue: 'mine', args: [text(256)] },
    ...{ keep: 'none', callbackArgs: text(256), defaults: { body: text(512) } },
  });
  expect(supply.bytes).toBeGreaterThan(1020 * 1024);
  // There is always room for one page.
  expect(await supply.next(always, never)).toMatchObject([{ index: 0, spec: url }]);
});
