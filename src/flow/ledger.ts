import type { FlowLimits } from '../shared/flow-limits.ts';
import type { FlowAdmin, Override } from './port.ts';

/** ms by which a grant may lie in the future: who asks gets what falls due until then at once. */
export const HORIZON = 500;
/** ms within which whoever asks gets at least one, however many others have asked before. */
export const RESERVE = 1_000;
/** ms after a cool-down within which a key comes back to its limits. */
export const RAMP = 10_000;
/** ms for which what is known of a key is kept without use, and limits without being stated again. */
export const LIFE = 24 * 60 * 60_000;

/** A grant: when its request may go, and where it stands among all of its key. */
export interface Slot {
  /** Monotonic ms. */
  at: number;
  /**
   * Units that the key has granted, its own the last. Undefined: by a count that is not the fleet's,
   * and nothing of it can come back.
   */
  mark: number | undefined;
}

/** Units that were taken and not used. */
export interface Unused {
  units: number;
  /** Of their grant. */
  mark: number;
}

/** What has happened since the last ask. */
export interface Report {
  /** Units of cost beyond what was taken before. */
  spent: number;
  unused: readonly Unused[];
  /** ms that the target has asked to be left alone for. */
  cool: number;
  /** Failures since the last success. */
  failures: number;
  succeeded: boolean;
}

export const NOTHING: Report = {
  ...{ spent: 0, unused: [] },
  ...{ cool: 0, failures: 0, succeeded: false },
};

/** One process's whole situation with a key: absolute, so that no lost answer leaves a trace. */
export interface Ask extends Report {
  /** Without what was set at run time. */
  limits: FlowLimits;
  /**
   * Since the last ask a request has stated them. Else they are what this process has last heard, and
   * count only where nothing else is known of the key.
   */
  stated: boolean;
  /** Permits that this process holds. */
  held: number;
  /** Of the first of those that wait, in their order. */
  costs: number[];
}

/** What keeps those that got nothing: only of `rate` and `cool` is the wait known. */
export type Obstacle = 'none' | 'rate' | 'cool' | 'concurrency' | 'paused';

export interface Answer {
  /** What the key has, without what was set at run time. */
  limits: FlowLimits;
  /** For the first of `costs`. */
  slots: Slot[];
  obstacle: Obstacle;
  /** ms after which to ask again, unless `woken` comes first. */
  retryIn: number;
  /** False: whoever decides for all may not have heard it. `reset` comes when it is to be said again. */
  heard: boolean;
}

export interface LedgerEvents {
  /** Ask again: a permit is free, or the limits have changed. */
  woken(key: string): void;
  /** Leave the key alone, be it cooled or paused: what has not been sent yet must ask again. */
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
