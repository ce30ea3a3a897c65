import type { FlowAdmin } from '../flow/port.ts';
import { cancelInRedis } from '../liveness/cancel.ts';
import type { RedisAccess } from '../liveness/redis.ts';
import type { RequestKey } from '../shared/request-key.ts';
import { limitOf } from '../shared/row-limit.ts';
import { Asker } from './asker.ts';
import { keptByTheDead } from './kept.ts';
import { noProcess } from './local.ts';
import type {
  FailureRecord,
  Fleet,
  FleetProcess,
  KeptOutcome,
  RequestPage,
  RequestQuery,
  Statistics,
} from './port.ts';
import { readProcesses } from './processes.ts';
import { mergePages, type Page } from './request-page.ts';
import type { StatisticsStore } from './statistics.ts';

export type FleetAccess = Pick<RedisAccess, 'connection' | 'keys'>;

export interface RedisFleetOptions {
  /** @throws Error before there is a connection */
  access: () => FleetAccess;
  flow: FlowAdmin;
  statistics: StatisticsStore;
}

/** All processes of a task queue, from any process that reaches their Redis. */
export class RedisFleet implements Fleet {
  readonly scope = 'fleet';
  readonly flow: FlowAdmin;
  readonly #access: () => FleetAccess;
  readonly #statistics: StatisticsStore;
  #madeAsker: Asker | undefined;

  constructor({ access, flow, statistics }: RedisFleetOptions) {
    this.#access = access;
    this.flow = flow;
    this.#statistics = statistics;
  }

  async processes(): Promise<FleetProcess[]> {
    const { connection, keys } = this.#access();
    return readProcesses(connection, keys);
  }

  async requests(query: RequestQuery): Promise<RequestPage> {
    const living = await this.#living();
    const asked = living.filter((id) => query.process === undefined || query.process === id);
    const { answers, silent } = await this.#asker.ask<Page>(asked, (reply) => ({
      ...{ kind: 'requests', query, reply },
    }));
    return { ...mergePages(answers, query), silent };
  }

  async cancel(key: RequestKey): Promise<'told' | 'flagged'> {
    const { connection, keys } = this.#access();
    const told = await cancelInRedis(connection, keys, key, 'operator');
    if (told === 'told') return told;
    if (told === 'deaf' || key.index === undefined) return 'flagged';
    throw new Error(
      `cancel: a request of batch ${key.workflowId}: no process runs it now: it has ended, or waits; ` +
        'try again',
    );
  }

  async drain(process: string): Promise<void> {
    if (!(await this.#asker.tell(process, { kind: 'drain' }))) throw noProcess(process);
  }

  async failures(limit?: number): Promise<FailureRecord[]> {
    return this.#statistics.failures(limitOf(limit));
  }

  async keptOutcomes(given?: number): Promise<KeptOutcome[]> {
    const limit = limitOf(given);
    const { connection, keys } = this.#access();
    const { answers } = await this.#asker.ask<KeptOutcome[]>(await this.#living(), (reply) => ({
      ...{ kind: 'kept', limit, reply },
    }));
    const kept = answers.flat().slice(0, limit);
    return [...kept, ...(await keptByTheDead(connection, keys, limit - kept.length))];
  }

  async statistics(): Promise<Statistics> {
    return this.#statistics.read();
  }

  async clearStatistics(): Promise<void> {
    // First, or what they have not stored yet would come after.
    await Promise.all(
      (await this.#living()).map((process) => this.#asker.tell(process, { kind: 'clear' })),
    );
    await this.#statistics.clear();
  }

  async ping(): Promise<number> {
    const start = performance.now();
    await this.#access().connection.redis.ping();
    return performance.now() - start;
  }

  async #living(): Promise<string[]> {
    const processes = await this.processes();
    return processes.filter(({ leaseLeft }) => leaseLeft > 0).map(({ id }) => id);
  }

  get #asker(): Asker {
    if (!this.#madeAsker) {
      const { connection, keys } = this.#access();
      this.#madeAsker = new Asker(connection, keys);
    }
    return this.#madeAsker;
  }
}
