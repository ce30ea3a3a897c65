import type { FlowLimits } from '../shared/flow-limits.ts';
import type { FlowAdmin, Override } from './port.ts';

/** ms by which a grant may lie in the future: who asks gets what falls due until then at once. */
export const HORIZON = 500;
/** ms within which whoever asks gets at least one, however many others have asked before. */
export const RESERVE = 1_000;
/** ms after a cool-down within which a key comes back to its limits. */
export const RAMP = 10_000;

/** What has happened since the last ask. */
export interface Report {
  /** Units of cost beyond what was taken before; negative: less. */
  spent: number;
  /** ms that the target has asked to be left alone for. */
  cool: number;
  /** Failures since the last success. */
  failures: number;
  succeeded: boolean;
}

export const NOTHING: Report = { spent: 0, cool: 0, failures: 0, succeeded: false };

/** One process's whole situation with a key: absolute, so that no lost answer leaves a trace. */
export interface Ask extends Report {
  limits: FlowLimits;
  /** Permits that this process holds. */
  held: number;
  /** Of the first of those that wait, in their order. */
  costs: number[];
}

/** What keeps those that got nothing: only of `rate` and `cool` is the wait known. */
export type Obstacle = 'none' | 'rate' | 'cool' | 'concurrency' | 'paused';

export interface Answer {
  /** For the first of `costs`: monotonic ms at which each may go. */
  slots: number[];
  obstacle: Obstacle;
  /** ms after which to ask again, unless `woken` comes first. */
  retryIn: number;
}

export interface LedgerEvents {
  /** Ask again: a permit is free, or the limits have changed. */
  woken(key: string): void;
  /** Leave the key alone: what has not been sent yet must ask again. */
  cooled(key: string): void;
  /** Ask again for every key. */
  reset(): void;
}

/** Who may send how much, by key: in this process or across all of them. */
export interface Ledger extends FlowAdmin {
  readonly overrides: ReadonlyMap<string, Override>;
  start(events: LedgerEvents): Promise<void>;
  /** Never rejects. Of one key never asked twice at once. */
  ask(key: string, ask: Ask): Promise<Answer>;
  stop(): Promise<void>;
}
