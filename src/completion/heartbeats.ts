import type { Log } from '../shared/log.ts';
import type { Attempt } from '../shared/attempt.ts';
import type { OwnedTask } from '../processor/owned-task.ts';
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
  readonly #timers = new Map<OwnedTask, NodeJS.Timeout>();

  constructor(rpc: ActivityRpc, insistence: Insistence, liveness: Liveness, log: Log) {
    this.#rpc = rpc;
    this.#insistence = insistence;
    this.#liveness = liveness;
    this.#log = log;
  }

  start(task: OwnedTask): void {
    // The first at random: thousands of requests that started together must not beat together.
    this.#schedule(task, interval(task) * (0.7 + 0.3 * Math.random()));
  }

  stop(task: OwnedTask): void {
    clearTimeout(this.#timers.get(task));
    this.#timers.delete(task);
  }

  /**
   * Sends the task's progress after any heartbeat still under way: with two at once the older
   * could be stored last.
   */
  send(task: OwnedTask): Promise<HeartbeatAnswer> {
    const { token } = task.attempt;
    const sent = task.lastHeartbeat.then(() => this.#rpc.heartbeat(task.key, token, task.progress));
    task.lastHeartbeat = sent.catch(() => undefined);
    return sent;
  }

  /**
   * The token of `attempt` is fenced. `pending`: a newer attempt attaches here, now or soon.
   * `closed`: nobody waits for this process any more, be it that the activity is over or that
   * another process has it.
   */
  async resolveFence(task: OwnedTask, attempt: Attempt): Promise<'closed' | 'pending'> {
    const go = (): boolean => task.attempt === attempt && !task.abandoned;
    const pending = await this.#insistence.call(task, go, () => this.#rpc.isPending(task.key));
    if (pending === false) return 'closed';
    const found = await this.#liveness.whereabouts(task.key);
    if (found.owner === 'other') return 'closed';
    if ('attempt' in found && found.attempt) task.attach(found.attempt);
    if (!go()) return 'pending';
    // The attempt that it waits for is fetched through a place, and all may be taken by such as it.
    if (task.delivering) task.leavePlace();
    await task.pause(FENCED_PAUSE);
    return 'pending';
  }

  #schedule(task: OwnedTask, ms: number): void {
    const timer = setTimeout(() => {
      this.#beat(task).catch((error: unknown) => {
        this.#log.debug('A heartbeat failed', { error });
        if (this.#timers.has(task)) this.#schedule(task, Math.min(ms, 5_000));
      });
    }, ms);
    this.#timers.set(task, timer);
  }

  async #beat(task: OwnedTask): Promise<void> {
    const { attempt } = task;
    const answer = await this.send(task);
    if (answer.found) {
      task.obey(answer);
    } else if ((await this.resolveFence(task, attempt)) === 'closed') {
      task.interrupt('closed');
    }
    if (this.#timers.has(task)) this.#schedule(task, interval(task));
  }
}

function interval({ heartbeatTimeout }: OwnedTask): number {
  return heartbeatTimeout / 3;
}
