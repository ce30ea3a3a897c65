import type { ClientPlugin } from '@temporalio/client';
import {
  NativeConnection,
  type Worker,
  type WorkerOptions,
  type WorkerPlugin,
} from '@temporalio/worker';
import { ConfigError, resolveOptions } from './config/options.ts';
import { requestsQueue } from './shared/constants.ts';
import { PatientWorker, type PatientWorkerOptions } from './worker.ts';

export interface PatientPluginOptions extends Omit<
  PatientWorkerOptions,
  'connection' | 'namespace' | 'identity' | 'dataConverter'
> {
  /** `false`: this process only submits; requests run elsewhere. Default true. */
  processor?: boolean;
}

/**
 * Runs both Patient HTTP workers beside a user's own, in its process and on its connection. Queue
 * and capacity are theirs alone, so the user's activities are never held back by slow requests.
 * One instance on several workers of a process runs one pair.
 *
 * @example
 * const worker = await Worker.create({ …, plugins: [new PatientPlugin({ maxConnections: 500 })] });
 */
export class PatientPlugin implements WorkerPlugin, ClientPlugin {
  readonly name = 'patient-http';
  readonly #options: Omit<PatientPluginOptions, 'processor'>;
  readonly #runs: boolean;
  readonly #ownConnections = new WeakSet<NativeConnection>();
  readonly #seen = new WeakSet<Worker>();
  #users = 0;
  #patient: Promise<{ worker: PatientWorker; running: Promise<number> }> | undefined;

  /** @throws ConfigError for wrong options */
  constructor({ processor = true, ...options }: PatientPluginOptions = {}) {
    const { observers: _, workflowBundle: __, ...checked } = options;
    resolveOptions(checked);
    this.#options = options;
    this.#runs = processor;
  }

  async configureWorker(options: WorkerOptions): Promise<WorkerOptions> {
    if (!this.#runs) return options;
    const { taskQueue } = resolveOptions({ taskQueue: this.#options.taskQueue });
    if (options.taskQueue === taskQueue || options.taskQueue === requestsQueue(taskQueue)) {
      throw new ConfigError(
        `taskQueue: ${taskQueue} belongs to Patient HTTP; give your worker a queue of its own`,
      );
    }
    if (options.connection) return options;
    // The worker would close a connection of its own making before the drain has ended.
    const connection = await NativeConnection.connect();
    this.#ownConnections.add(connection);
    return { ...options, connection };
  }

  async runWorker(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void> {
    // A plugin on worker and connection is called once for each.
    if (!this.#runs || this.#seen.has(worker)) return next(worker);
    this.#seen.add(worker);
    this.#users++;
    try {
      this.#patient ??= this.#start(worker);
      const { running } = await this.#patient;
      running.catch(() => worker.getState() === 'RUNNING' && worker.shutdown());
      await next(worker);
    } finally {
      this.#users--;
      await this.#leave(worker);
    }
  }

  async #start(worker: Worker): Promise<{ worker: PatientWorker; running: Promise<number> }> {
    const { namespace, identity, dataConverter } = worker.options;
    const patient = await PatientWorker.create({
      ...this.#options,
      connection: worker.connection!,
      namespace,
      identity,
      ...(dataConverter && { dataConverter }),
    });
    return { worker: patient, running: patient.run() };
  }

  /** The last worker to end takes the processor with it, drained. */
  async #leave(worker: Worker): Promise<void> {
    const connection = worker.connection;
    try {
      if (this.#users > 0 || !this.#patient) return;
      const patient = await this.#patient;
      this.#patient = undefined;
      await patient.worker.shutdown();
    } finally {
      if (connection && this.#ownConnections.has(connection)) await connection.close();
    }
  }
}
