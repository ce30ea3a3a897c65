/** One Temporal attempt of the activity that carries a request. */
export interface Attempt {
  number: number;
  /** Server time at which this attempt was scheduled: a reset starts numbers again, never time. */
  scheduledAt: number;
  token: Uint8Array;
  /** What Temporal had stored of the request when the attempt began; nothing if left out. */
  progress?: object;
}

export function isNewer(candidate: Attempt, current: Attempt): boolean {
  return candidate.scheduledAt === current.scheduledAt
    ? candidate.number > current.number
    : candidate.scheduledAt > current.scheduledAt;
}

/** Of any activity that carries requests. */
export interface AttemptProgress {
  /** Attempts given back by a live process: drain, pause, reset, re-attachment. */
  returns: number;
  /** Those among them, since it ended, that could not read with what. */
  unread?: number;
}

/** The heartbeat details: what the next attempt, wherever it runs, must know. */
export interface Progress extends AttemptProgress {
  /** The first byte of a request that may not be re-sent may have gone out. */
  sent: boolean;
  /** Tries that ended with a live process seeing the end. */
  tries: number;
}

/** The heartbeat details of a batch's activity. */
export interface BatchProgress extends AttemptProgress {
  /** Items at positions below may have been sent, if they may not be re-sent. */
  next: number;
  /** Items that have ended. */
  done: number;
}

export const NO_BATCH_PROGRESS: BatchProgress = { next: 0, done: 0, returns: 0 };

export const NO_PROGRESS: Progress = { sent: false, tries: 0, returns: 0 };

/** Attempts nobody saw the end of. A reset takes `attempt` back to 1, hence the floor. */
export function crashCount(
  attempt: Attempt,
  { tries = 0, returns }: { tries?: number; returns: number },
): number {
  return Math.max(0, attempt.number - 1 - tries - returns);
}
