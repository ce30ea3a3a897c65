import { CancellationScope, proxyActivities } from '@temporalio/workflow';
import type { ControlActivities } from '../src/shared/activities.ts';
import type { ItemResult } from '../src/shared/batch.ts';
import type { BatchItem } from './batch-supply.ts';

/** Items of a chunk that have ended, and whose outcomes wait to be collected. */
export interface HeldChunk {
  activityId: string;
  items: HeldItem[];
}

export interface HeldItem extends BatchItem {
  /** In the chunk. */
  position: number;
  /** Of the outcome as JSON. */
  bytes: number;
  /** It was there and could not be read, since when, and when it is asked for again; epoch ms. */
  unread?: { since: number; again: number };
}

export interface Patience {
  /** Whether what cannot be read may be asked for again. */
  waits: () => boolean;
  /** What an item ends with otherwise. */
  giveUp: (item: BatchItem, reason: string) => ItemResult;
}

/** ms, which is as long as a response waits for a payload store. */
const LONGEST_WAIT = 60 * 60_000;
/** ms. Each is as long as all before it, in between. */
const PAUSE = { least: 1_000, most: 5 * 60_000 };

/**
 * Takes as many out of the chunk as may be had in one result, and gives what they ended with, also
 * after a cancel: it was paid for. A lost one is to be tried again, if it may be; one that cannot be
 * read goes to the end of the chunk.
 */
export async function collect(
  chunk: HeldChunk,
  maxBytes: number,
  taskQueue: string,
  { waits, giveUp }: Patience,
): Promise<{ items: BatchItem[]; results: ItemResult[] }> {
  const { activityId, items } = chunk;
  const taken = items.splice(0, countWithin(items, maxBytes));
  const positions = taken.map(({ position }) => position);
  const { collectOutcomes } = proxyActivities<ControlActivities>({
    taskQueue,
    startToCloseTimeout: '1m',
    retry: { maximumInterval: '10s' },
    summary: `${positions.length} outcomes`,
  });
  const later = items.map(({ position }) => position);
  const found = await CancellationScope.nonCancellable(() =>
    collectOutcomes({ activityId, positions, later }),
  );
  const now = Date.now();
  const ended: { item: BatchItem; result: ItemResult }[] = [];
  for (const [i, held] of taken.entries()) {
    const { position: _position, bytes: _bytes, unread, ...item } = held;
    const result = found[i];
    if (!result) {
      const { tries } = item;
      ended.push({ item: { ...item, sent: true }, result: { retryIn: 0, tries } });
    } else if (!('unread' in result)) {
      ended.push({ item, result });
    } else {
      const since = unread?.since ?? now;
      const again = waits() ? asksAgainAt(since, now) : undefined;
      if (again !== undefined) items.push({ ...held, unread: { since, again } });
      else ended.push({ item, result: giveUp(item, result.unread) });
    }
  }
  return { items: ended.map(({ item }) => item), results: ended.map(({ result }) => result) };
}

/** When what cannot be read since then is asked for again; undefined: no more. Epoch ms. */
export function asksAgainAt(since: number, now: number): number | undefined {
  const left = since + LONGEST_WAIT - now;
  if (left <= 0) return undefined;
  return now + Math.min(Math.max(now - since, PAUSE.least), PAUSE.most, left);
}

/** One at least. */
function countWithin(items: HeldItem[], maxBytes: number): number {
  let sum = 0;
  for (const [count, { bytes }] of items.entries()) {
    sum += bytes;
    if (sum > maxBytes && count > 0) return count;
  }
  return items.length;
}
