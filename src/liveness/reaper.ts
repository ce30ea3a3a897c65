import type { Log } from '../shared/log.ts';
import type { Attempt } from '../shared/attempt.ts';
import { keyFromString, type RequestKey } from '../shared/request-key.ts';
import type { Outcome } from '../shared/outcome.ts';
import type { OutcomeSeal, ReleaseOrphan } from './port.ts';
import { toAttempt } from './redis-attempt.ts';
import type { RedisConnection } from './redis-connection.ts';
import { ORPHAN_LIFE, RECORD_LIFE, type RedisKeys } from './redis-keys.ts';

/** Most requests taken from dead processes at once. */
const BATCH = 200;

export interface ReaperOptions {
  connection: RedisConnection;
  keys: RedisKeys;
  owner: string;
  log: Log;
  releaseOrphan: ReleaseOrphan;
  seal: OutcomeSeal;
}

/** As the scripts give it: id, attempt's number and schedule, token, sealed outcome or ''. */
type ClaimedOrphan = [
  id: string,
  number: string,
  scheduledAt: string,
  token: string,
  sealed: string,
];

type Claim = [untilNext: number, ...orphans: ClaimedOrphan[]];

/**
 * Takes the requests of processes whose lease has expired to Temporal. They stay under this
 * process's lease until that is done, so that its death loses nothing.
 */
export class Reaper {
  readonly #options: ReaperOptions;
  readonly #orphans = new Set<string>();
  #stopped = false;

  constructor(options: ReaperOptions) {
    this.#options = options;
  }

  /** Ids of the orphans in the hands of this process. */
  get orphans(): ReadonlySet<string> {
    return this.#orphans;
  }

  /** Claims what expired leases held, a batch at a time; gives ms until the next one expires. */
  async claim(): Promise<number | undefined> {
    const { connection, keys, owner, log } = this.#options;
    for (let total = 0; ;) {
      const [untilNext, ...claimed] = (await connection.run(
        'claim',
        [keys.leases, keys.processes, keys.records(owner)],
        [owner, BATCH, keys.prefix, RECORD_LIFE],
      )) as Claim;
      total += claimed.length;
      await this.#releaseAll(claimed);
      if (claimed.length < BATCH || this.#stopped) {
        if (total > 0) log.info('Took over the requests of a process that is gone', { total });
        return untilNext < 0 ? undefined : untilNext;
      }
    }
  }

  /** Orphans of this process's own, as recall-2.lua says. */
  async recall(ids: string[]): Promise<void> {
    const recalled = await Promise.all(ids.map((id) => this.#recall(id)));
    await this.#releaseAll(recalled.filter((orphan) => orphan !== null));
  }

  /**
   * Gives up what this process has registered and cannot run; what is kept stays. `attempt` is the
   * caller's to fail, a newer one that has attached meanwhile is nobody else's.
   */
  async giveUp(id: string, { number, scheduledAt }: Attempt): Promise<void> {
    const orphan = await this.#recall(id);
    if (!orphan) return;
    const isNewer = Number(orphan[1]) !== number || Number(orphan[2]) !== scheduledAt;
    if (isNewer) await this.#releaseAll([orphan]);
    else await this.#disown(id);
  }

  stop(): void {
    this.#stopped = true;
  }

  async #recall(id: string): Promise<ClaimedOrphan | null> {
    const { connection, owner } = this.#options;
    return (await connection.run('recall', this.#recordKeys(id), [
      owner,
      id,
    ])) as ClaimedOrphan | null;
  }

  async #disown(id: string): Promise<void> {
    const { connection, owner } = this.#options;
    await connection.run('disown', this.#recordKeys(id), [owner, id, ORPHAN_LIFE]);
  }

  #recordKeys(id: string): string[] {
    const { keys, owner } = this.#options;
    return [keys.request(id), keys.records(owner)];
  }

  async #releaseAll(orphans: ClaimedOrphan[]): Promise<void> {
    // All of them first: a renewal meanwhile must find none that nobody knows.
    for (const [id] of orphans) this.#orphans.add(id);
    await Promise.all(orphans.map((orphan) => this.#release(orphan)));
  }

  async #release([id, number, scheduledAt, token, sealed]: ClaimedOrphan): Promise<void> {
    const { connection, owner, releaseOrphan } = this.#options;
    const key = keyFromString(id);
    const attempt = toAttempt(Number(number), Number(scheduledAt), token);
    try {
      const outcome = await this.#open(key, sealed);
      const go = (): boolean => !this.#stopped;
      const done = await releaseOrphan({ key, attempt, outcome }, go);
      // Given up half-way: it stays under this process's lease, which is about to end.
      if (this.#stopped) return;
      if (!done) return await this.#disown(id);
      await connection.run('release', this.#recordKeys(id), [owner, id, number, scheduledAt, 0, 0]);
    } finally {
      this.#orphans.delete(id);
    }
  }

  /** Where this process lacks the key, the next attempt may come to one that has it. */
  async #open(key: RequestKey, sealed: string): Promise<Outcome | undefined> {
    if (sealed === '') return undefined;
    const { seal, log } = this.#options;
    try {
      return (await seal.open(key, sealed)) as Outcome;
    } catch (error) {
      log.error('A kept outcome cannot be read here', { error, workflowId: key.workflowId });
      return undefined;
    }
  }
}
