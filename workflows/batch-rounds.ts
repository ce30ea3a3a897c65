/** ms by which a request may wait for others, so that rounds are few. */
const SOME_SECONDS = 5_000;
/** ms of the wait for a turn that a request may as well spend in the worker. */
const AHEAD = 15_000;

/** Epoch ms; a deadline can be Infinity. */
interface Waiting {
  notBefore: number;
  deadlineAt: number;
}

/**
 * How many of those that wait, the first due first, go together, once the last of them is due: those due
 * within some seconds of the first, or within half as long as it waits itself. A Retry-After of minutes holds
 * back no others, and nobody is held back for more than half of what its deadline leaves.
 */
export function countOfRound(waiting: Waiting[], now: number): number {
  let last = Infinity;
  for (const [count, { notBefore, deadlineAt }] of waiting.entries()) {
    const due = Math.max(notBefore, now);
    if (due > last) return count;
    const together = count === 0 ? due + Math.max(SOME_SECONDS, (due - now) / 2) : last;
    last = Math.min(together, due + Math.max(0, deadlineAt - due) / 2);
  }
  return waiting.length;
}

/** When one that was given back untried goes again: somewhat before its turn, together with others. */
export function turnOf(due: number, now: number): number {
  return due - now < AHEAD ? due : due - (due % AHEAD);
}
