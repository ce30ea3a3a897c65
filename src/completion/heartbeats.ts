import type { Log } from '../shared/log.ts';
import type { Attempt, Progress } from '../shared/attempt.ts';
import type { RequestTask } from '../processor/task.ts';
import type { ActivityRpc, HeartbeatAnswer } from './activity-rpc.ts';
import type { Liveness } from '../liveness/port.ts';
import type { Insistence } from './insist.ts';

/** A fenced attempt waits this long before it asks again whether its activity is pending. */
const FENCED_PAUSE = 2_000;

/**
 * Heartbeats by token. Each is an RPC and a database write, so a request that ends within a third
 * of its heartbeat timeout sends none. Their answers are how cancel, pause and reset arrive.
 */
export class Heartbeats {
  readonly #rpc: ActivityRpc;
  readonly #insistence: Insistence;
  readonly #liveness: Liveness;
  readonly #log: Log;
  readonly #timers = new Map<RequestTask, NodeJS.Timeout>();

  constructor(rpc: ActivityRpc, insistence: Insistence, liveness: Liveness, log: Log) {
    this.#rpc = rpc;
    this.#insistence = insistence;
    this.#liveness = liveness;
    this.#log = log;
  }

  start(task: RequestTask): void {
    // The first at random: thousands of requests that started together must not beat together.
    this.#schedule(task, interval(task) * (0.7 + 0.3 * Math.random()));
  }

  stop(task: RequestTask): void {
    clearTimeout(this.#timers.get(task));
    this.#timers.delete(task);
  }

  /**
   * Sends the task's progress after any heartbeat still under way: with two at once the older
   * could be stored last.
   */
  send(task: RequestTask, progress: Progress): Promise<HeartbeatAnswer> {
    const { token } = task.attempt;
    const sent = task.lastHeartbeat.then(() => this.#rpc.heartbeat(task.key, token, progress));
    task.lastHeartbeat = sent.catch(() => undefined);
    return sent;
  }

  /** What an answer means for a task that is not yet delivering. */
  obey(task: RequestTask, answer: HeartbeatAnswer): void {
    const onTheWire = task.phase === 'sent';
    if (answer.cancelRequested) task.interrupt('cancelled');
    else if (answer.reset && (task.request.resendable || !onTheWire)) task.interrupt('returned');
    else if (answer.paused && task.phase === 'queued') task.interrupt('returned');
  }

  /**
   * The token of `attempt` is fenced. `pending`: a newer attempt attaches here, now or soon.
   * `closed`: nobody waits for this process any more, be it that the activity is over or that
   * another process has it.
   */
  async resolveFence(task: RequestTask, attempt: Attempt): Promise<'closed' | 'pending'> {
    const go = (): boolean => task.attempt === attempt && !task.abandoned;
    const pending = await this.#insistence.call(task, go, () => this.#rpc.isPending(task.key));
    if (pending === false) return 'closed';
    const found = await this.#liveness.whereabouts(task.key);
    if (found.owner === 'other') return 'closed';
    if ('attempt' in found && found.attempt) task.attach(found.attempt);
    if (!go()) return 'pending';
    // The attempt that it waits for is fetched through a place, and all may be taken by such as it.
    if (task.phase === 'delivering') task.leavePlace();
    await task.pause(FENCED_PAUSE);
    return 'pending';
  }

  #schedule(task: RequestTask, ms: number): void {
    const timer = setTimeout(() => {
      this.#beat(task).catch((error: unknown) => {
        this.#log.debug('A heartbeat failed', { error });
        if (this.#timers.has(task)) this.#schedule(task, Math.min(ms, 5_000));
      });
    }, ms);
    this.#timers.set(task, timer);
  }

  async #beat(task: RequestTask): Promise<void> {
    const { attempt } = task;
    const answer = await this.send(task, task.progress);
    if (answer.found) {
      this.obey(task, answer);
    } else if ((await this.resolveFence(task, attempt)) === 'closed') {
      task.interrupt('closed');
    }
    if (this.#timers.has(task)) this.#schedule(task, interval(task));
  }
}

function interval({ heartbeatTimeout }: RequestTask): number {
  return heartbeatTimeout / 3;
}
