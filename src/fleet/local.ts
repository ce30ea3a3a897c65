import { hostname } from 'node:os';
import type { FlowAdmin } from '../flow/port.ts';
import type { TaskView } from '../processor/observers.ts';
import type { Processor } from '../processor/processor.ts';
import type { RequestKey } from '../shared/request-key.ts';
import { limitOf } from '../shared/row-limit.ts';
import type {
  FailureRecord,
  Fleet,
  FleetProcess,
  KeptOutcome,
  RequestPage,
  RequestQuery,
  Statistics,
} from './port.ts';
import { keptIn, pageOf } from './request-page.ts';
import type { StatisticsRecorder } from './statistics-recorder.ts';
import type { StatisticsStore } from './statistics.ts';

export interface LocalFleetOptions {
  /** Asked each time: it is made after what counts for it. */
  processor: () => Pick<Processor, 'tasks' | 'summary' | 'cancel'>;
  flow: FlowAdmin;
  recorder: StatisticsRecorder;
  store: StatisticsStore;
  /** Begins the drain of this process. */
  drain: () => void;
  /** Default: host and pid. */
  id?: string;
}

/** The fleet of one process: without Redis it is all there is, with Redis its part in the answers. */
export class LocalFleet implements Fleet {
  readonly scope = 'process';
  readonly id: string;
  readonly #options: LocalFleetOptions;

  constructor(options: LocalFleetOptions) {
    this.#options = options;
    this.id = options.id ?? `${hostname()}:${process.pid}`;
  }

  async processes(): Promise<FleetProcess[]> {
    const { summary } = this.#options.processor();
    // Nobody takes it for dead.
    const leaseLeft = Number.MAX_SAFE_INTEGER;
    return [{ id: this.id, host: hostname(), pid: process.pid, leaseLeft, ...summary }];
  }

  async requests(query: RequestQuery): Promise<RequestPage> {
    const isAsked = query.process === undefined || query.process === this.id;
    return { ...pageOf(isAsked ? this.#tasks : [], query, this.id), silent: [] };
  }

  async cancel(key: RequestKey): Promise<'told'> {
    if (this.#options.processor().cancel(key)) return 'told';
    throw new Error(`cancel: ${key.workflowId}: not in flight here`);
  }

  async drain(process: string): Promise<void> {
    if (process !== this.id) throw noProcess(process);
    this.#options.drain();
  }

  async failures(limit?: number): Promise<FailureRecord[]> {
    await this.#options.recorder.flush();
    return this.#options.store.failures(limitOf(limit));
  }

  async keptOutcomes(limit?: number): Promise<KeptOutcome[]> {
    return keptIn(this.#tasks, this.id, limitOf(limit));
  }

  async statistics(): Promise<Statistics> {
    await this.#options.recorder.flush();
    return this.#options.store.read();
  }

  async clearStatistics(): Promise<void> {
    this.#options.recorder.clear();
    await this.#options.store.clear();
  }

  get #tasks(): Iterable<TaskView> {
    return this.#options.processor().tasks;
  }

  get flow(): FlowAdmin {
    return this.#options.flow;
  }

  async ping(): Promise<undefined> {
    return undefined;
  }
}

export function noProcess(id: string): Error {
  return new Error(`process: ${id} is not there`);
}
