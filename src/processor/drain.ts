import type { Admission } from './admission.ts';
import { BatchTask } from './batch-task.ts';
import type { RequestTask } from './task.ts';
import type { Tasks } from './tasks.ts';

export interface StopOptions {
  /** ms during which everything in flight may still end by itself. */
  shutdownTimeout: number;
  /** ms after which even what may not be re-sent is given up. */
  drainTimeout: number;
}

/**
 * ms. Whoever fetches requests is cut off at the end of a drain, and what Temporal has just handed
 * out then waits for its heartbeat timeout. On a busy queue the open permits bring something before
 * that, and it is given back.
 */
const QUIET = 5_000;

/** ms for the endings that the end of a drain brings about; each is a call or two to Temporal. */
const LAST_DELIVERY = 5_000;

/**
 * Sees all tasks to their end, each in its time: first by itself, then handed over, then given up.
 * Resolves with the number of requests whose outcome is lost.
 */
export async function drainTasks(
  tasks: Tasks,
  running: ReadonlySet<RequestTask>,
  admission: Pick<Admission, 'quiet'>,
  { shutdownTimeout, drainTimeout }: StopOptions,
): Promise<number> {
  for (const task of running) {
    if (task.phase === 'queued') task.interrupt('returned');
  }
  await tasks.idle(shutdownTimeout);
  for (const task of running) {
    if (task.request.resendable || task.phase !== 'sent') task.interrupt('returned');
  }
  tasks.interruptDeliveries('returned');
  await tasks.idle(drainTimeout - shutdownTimeout);
  await admission.quiet(QUIET, Math.min(drainTimeout, 2 * QUIET));
  const lost = new Set<RequestTask>();
  for (const task of running) {
    if (task.phase === 'sent' && !task.interruption) lost.add(task);
    task.interrupt('given-up');
  }
  tasks.interruptDeliveries('given-up');
  const last = [...tasks];
  await tasks.idle(LAST_DELIVERY);
  const left = new Set(tasks);
  for (const task of last) {
    const isLost = task.lost || left.has(task);
    for (const request of task instanceof BatchTask ? task.requests : [task]) {
      if ((isLost && !request.kept) || request.lost) lost.add(request);
    }
  }
  for (const task of left) task.abandon();
  // Also one whose place in the map a newer attempt has taken.
  for (const task of running) task.abandon();
  tasks.clear();
  return lost.size;
}
