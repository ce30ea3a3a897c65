export type Status = 'ok' | 'warning' | 'problem';

/** One line of `patient doctor`. */
export interface Check {
  /** What was looked at, e.g. `redis eviction`. */
  check: string;
  status: Status;
  message: string;
  /** What to do about it. */
  fix?: string;
}

export function ok(check: string, message: string): Check {
  return { check, status: 'ok', message };
}

export function warning(check: string, message: string, fix: string): Check {
  return { check, status: 'warning', message, fix };
}

export function problem(check: string, message: string, fix: string): Check {
  return { check, status: 'problem', message, fix };
}

/** ms that clocks may differ by before somebody wonders. */
const SKEW = 2_000;

/** `skew`: how far theirs is ahead of ours. */
export function clock(check: string, skew: number): Check {
  const apart = `${Math.abs(Math.round(skew))} ms ${skew < 0 ? 'behind' : 'ahead of'} this machine's`;
  if (Math.abs(skew) <= SKEW) return ok(check, apart);
  return warning(check, apart, 'run a time service (chrony, systemd-timesyncd) on both');
}
