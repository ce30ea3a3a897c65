import { AsyncLocalStorage } from 'node:async_hooks';
import type { ClientOptions, ClientPlugin } from '@temporalio/client';
import {
  NativeConnection,
  type ReplayWorkerOptions,
  type Worker,
  type WorkerOptions,
  type WorkerPlugin,
} from '@temporalio/worker';
import { checkFunctions } from './config/functions.ts';
import { resolveOptions } from './config/options.ts';
import { PatientCodec, withCodec } from './payload/patient-codec.ts';
import { requestsQueue } from './shared/constants.ts';
import { ConfigError } from './shared/errors.ts';
import { PatientWorker, type PatientWorkerOptions } from './worker.ts';
import { checkStore } from './worker-checks.ts';

/** The options of a `PatientWorker`, but for what the plugin takes from yours. */
export interface PatientPluginOptions extends Omit<
  PatientWorkerOptions,
  'connection' | 'namespace' | 'identity' | 'dataConverter'
> {
  /** `false`: this process only submits; requests run elsewhere. Default true. */
  processor?: boolean;
}

interface Patient {
  worker: PatientWorker;
  running: Promise<number>;
  /** One of our own, closed with it, where the user gave none. */
  connection: NativeConnection | undefined;
}

/** Set while our own workers are made and run: a plugin of a connection is a plugin of theirs too. */
const ours = new AsyncLocalStorage<true>();

/**
 * Runs both Patient HTTP workers beside a user's own, in its process and on its connection. Queue
 * and capacity are theirs alone, so the user's activities are never held back by slow requests.
 * One instance on several workers of a process runs one pair, which ends, drained, with the last
 * of them; a connection that you give must stay open until then. On workers, replays and clients
 * alike it adds the payload codec, outside of a data converter of yours.
 *
 * @example
 * const plugins = [new PatientPlugin({ maxConnections: 500 })];
 * const worker = await Worker.create({ taskQueue: 'orders', workflowsPath, plugins });
 */
export class PatientPlugin implements WorkerPlugin, ClientPlugin {
  readonly name = 'patient-http';
  readonly #options: Omit<PatientPluginOptions, 'processor'>;
  readonly #runs: boolean;
  readonly #taskQueue: string;
  readonly #codec: PatientCodec;
  readonly #seen = new WeakSet<Worker>();
  #users = 0;
  #patient: Promise<Patient> | undefined;

  /** @throws ConfigError for wrong options */
  constructor({ processor = true, ...options }: PatientPluginOptions = {}) {
    const { observers: _, workflowBundle: __, secrets, preprocessors, ...checked } = options;
    checkFunctions({ secrets, preprocessors });
    const resolved = resolveOptions(checked);
    this.#taskQueue = resolved.taskQueue;
    this.#codec = new PatientCodec(resolved);
    this.#options = options;
    this.#runs = processor;
  }

  /**
   * Temporal's: adds the payload codec.
   *
   * @throws ConfigError where another plugin has added one with other options
   */
  configureClient(options: Omit<ClientOptions, 'plugins'>): Omit<ClientOptions, 'plugins'> {
    return { ...options, dataConverter: withCodec(options.dataConverter, this.#codec) };
  }

  /** Temporal's: adds the payload codec. */
  configureReplayWorker(options: ReplayWorkerOptions): ReplayWorkerOptions {
    return { ...options, dataConverter: withCodec(options.dataConverter, this.#codec) };
  }

  /**
   * Temporal's: adds the payload codec.
   *
   * @throws ConfigError for a store that cannot be used, where another plugin has added a codec with
   * other options, or for a queue that belongs to Patient HTTP
   */
  async configureWorker(given: WorkerOptions): Promise<WorkerOptions> {
    const options = { ...given, dataConverter: withCodec(given.dataConverter, this.#codec) };
    await checkStore(this.#codec);
    if (!this.#runs || ours.getStore()) return options;
    const taskQueue = this.#taskQueue;
    if (options.taskQueue === taskQueue || options.taskQueue === requestsQueue(taskQueue)) {
      throw new ConfigError(
        `taskQueue: ${taskQueue} belongs to Patient HTTP; give your worker a queue of its own`,
      );
    }
    return options;
  }

  /** Temporal's: runs the Patient HTTP workers as long as yours. */
  async runWorker(worker: Worker, next: (worker: Worker) => Promise<void>): Promise<void> {
    // A plugin on worker and connection is called once for each.
    if (!this.#runs || ours.getStore() || this.#seen.has(worker)) return next(worker);
    this.#seen.add(worker);
    this.#users++;
    const patient = (this.#patient ??= ours.run(true, () => this.#start(worker)));
    // Half of what was asked for is no service: its run() ends too, and fails with our error.
    patient
      .then(({ running }) => running)
      .catch(() => worker.getState() === 'RUNNING' && worker.shutdown());
    try {
      await next(worker);
    } finally {
      this.#users--;
      if (this.#users === 0) await this.#end(patient);
    }
  }

  async #start(worker: Worker): Promise<Patient> {
    const { namespace, identity, dataConverter, connection: given } = worker.options;
    // A worker closes a connection of its own making when it ends, which is before our drain does.
    const own = given ? undefined : await NativeConnection.connect();
    try {
      const patient = await PatientWorker.create({
        ...this.#options,
        connection: own ?? worker.connection!,
        namespace,
        identity,
        ...(dataConverter && { dataConverter }),
      });
      return { worker: patient, running: patient.run(), connection: own };
    } catch (error) {
      await own?.close();
      throw error;
    }
  }

  /** The last worker to end takes the processor with it, drained. */
  async #end(patient: Promise<Patient>): Promise<void> {
    this.#patient = undefined;
    const { worker, connection } = await patient;
    try {
      await worker.shutdown();
    } finally {
      await connection?.close();
    }
  }
}
