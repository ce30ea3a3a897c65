import type { FlowLimits } from '../shared/flow-limits.ts';

/**
 * Requests leave a little after their time, now more and now less, and what is late comes together
 * with what is on time. For a target to see no more than the rate all the same, units lie further
 * apart than the rate says: by this share of the period, and this many ms of it at most.
 */
export const SLACK = { share: 0.03, most: 100 };

/** Of the slack, what is kept for what comes after the gate: clocks, the network. */
const RESERVED = 1 / 3;
/** Of an interval: one request that is late by less than it makes no window hold one more. */
const ALMOST = 0.9;

/** ms from one unit to the next; undefined where no rate limits. As permit-6.lua has it. */
export function intervalOf({ rate, period = 0 }: FlowLimits): number | undefined {
  return rate === undefined ? undefined : (period + slackOf(period)) / rate;
}

/** ms after its time for which a request may still go; what is later must get a new time. */
export function toleranceOf(limits: FlowLimits): number {
  const interval = intervalOf(limits) ?? Infinity;
  const slack = slackOf(limits.period ?? 0);
  return Math.min(SLACK.most, slack * (1 - RESERVED) + interval * ALMOST);
}

function slackOf(period: number): number {
  return Math.min(SLACK.most, period * SLACK.share);
}
