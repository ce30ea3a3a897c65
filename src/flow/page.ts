import { limitOf } from '../shared/row-limit.ts';
import type { FlowKey, FlowPage, FlowQuery } from './port.ts';

/** What has a look first: paused, cooling, waited for, others. */
export const RANKS = [1, 2, 3, 4] as const;

/** Of those that are named first, whatever else is known of them. */
export const NAMED = 3;

export interface RankedKey {
  key: FlowKey;
  rank: number;
}

export function rankOf({ paused, coolFor }: FlowKey): number {
  return paused ? 1 : coolFor > 0 ? 2 : 4;
}

/** By rank and name, so that a row stays where it is. */
export function rowsOf(keys: RankedKey[], limit: number | undefined): FlowPage['rows'] {
  const inOrder = keys.sort((a, b) => a.rank - b.rank || (a.key.key < b.key.key ? -1 : 1));
  return inOrder.slice(0, limitOf(limit)).map(({ key }) => key);
}

/** Of keys that are all at hand. */
export function pageOf(all: FlowKey[], { text = '', limit, first = [] }: FlowQuery): FlowPage {
  const part = text.toLowerCase();
  const named = new Set(first);
  const fitting = all.filter(({ key }) => key.toLowerCase().includes(part));
  const ranked = fitting.map((key) => {
    return { key, rank: Math.min(rankOf(key), named.has(key.key) ? NAMED : 4) };
  });
  return { rows: rowsOf(ranked, limit), matched: fitting.length, total: all.length };
}
