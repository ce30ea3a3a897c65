import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type NativeConnection,
  type WorkerOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { createControlActivities } from '../activities/control.ts';
import { createRequestActivities } from '../activities/submit.ts';
import { ActivityRpc } from './completion/activity-rpc.ts';
import { createOutcomeSeal } from './completion/outcome-seal.ts';
import { TemporalCompletion } from './completion/temporal-completion.ts';
import { checkFunctions } from './config/functions.ts';
import {
  ConfigError,
  resolveOptions,
  type PatientOptions,
  type ResolvedOptions,
} from './config/options.ts';
import { createTlsContext } from './config/tls-context.ts';
import { Flow } from './flow/flow.ts';
import type { Ledger } from './flow/ledger.ts';
import { MemoryLedger } from './flow/memory.ts';
import { RedisLedger } from './flow/redis.ts';
import { createTransport, type TransportFunctions } from './http/transport.ts';
import { MemoryLiveness } from './liveness/memory.ts';
import type { Liveness } from './liveness/port.ts';
import { RedisLiveness, type RedisLivenessOptions } from './liveness/redis.ts';
import { codecOf, PatientCodec, withCodec } from './payload/patient-codec.ts';
import type { ProcessorObserver } from './processor/observers.ts';
import { Processor } from './processor/processor.ts';
import { requestsQueue } from './shared/constants.ts';
import { gatedSlots } from './slots.ts';

/** Temporal's default; more pollers than places would only hold permits. */
const MAX_POLLERS = 10;

/**
 * Workflow tasks at once where payloads can be large: each has its payloads in memory several times,
 * and one that takes longer than Temporal's ten seconds is run again.
 */
const LARGE_TASKS = 4;

/** ms between two looks for payloads that are old enough to be deleted. */
const UPKEEP = 60 * 60 * 1000;

export interface PatientWorkerOptions extends PatientOptions, TransportFunctions {
  /** Stays open until `run()` has resolved: what is in flight is delivered through it. */
  connection: NativeConnection;
  /** Default `default`. */
  namespace?: string;
  /** Default: the SDK's. */
  identity?: string;
  /** Yours makes the payloads; ours compresses, encrypts and stores what it made. */
  dataConverter?: DataConverter;
  observers?: ProcessorObserver[];
  /** The bundle of {@link bundleWorkflows}, when several workers share one. */
  workflowBundle?: WorkflowBundleOption;
}

/** The bundle of the ready-made workflows. */
export function bundleWorkflows(): Promise<WorkflowBundleOption> {
  // A directory: it holds index.ts in the source tree and index.js in the package.
  const workflowsPath = fileURLToPath(new URL('../workflows/', import.meta.url));
  const { logger } = Runtime.instance();
  // At level INFO the bundler prints all of webpack's own report.
  const warnings = new DefaultLogger('WARN', ({ level, message, meta }) => {
    logger.log(level, message, meta);
  });
  return bundleWorkflowCode({ workflowsPath, logger: warnings });
}

/**
 * The process side of Patient HTTP: one Temporal worker for the ready-made workflows and control
 * activities, one, gated by capacity, for requests, and the processor both serve.
 */
export class PatientWorker {
  readonly processor: Processor;
  readonly #options: ResolvedOptions;
  readonly #main: Worker;
  readonly #requests: Worker;
  readonly #closeTransport: () => Promise<void>;
  readonly #expire: () => Promise<void>;
  #started: Promise<void> | undefined;
  #running: Promise<number> | undefined;

  /** @throws ConfigError for wrong options */
  static async create(options: PatientWorkerOptions): Promise<PatientWorker> {
    const { connection, namespace, identity, dataConverter, observers, workflowBundle, ...other } =
      options;
    const { secrets, preprocessors, ...rest } = other;
    const resolved = resolveOptions(rest);
    const functions = checkFunctions({ secrets, preprocessors });
    const log = Runtime.instance().logger;
    const converter = withCodec(dataConverter, new PatientCodec(resolved));
    const codec = codecOf(converter);
    await checkStore(codec);
    await checkRetention(resolved, connection, namespace ?? 'default');
    const transport = createTransport({
      ...{ ...resolved, ...functions },
      secureContext: createTlsContext(resolved.tls),
    });
    const requests: { worker?: Worker } = {};
    const rpc = new ActivityRpc(() => requests.worker!.client!);
    const { liveness, ledger } = createStores(resolved, {
      namespace: namespace ?? 'default',
      releaseOrphan: (orphan, go) => handler.releaseOrphan(orphan, go),
      seal: createOutcomeSeal(rpc),
      log,
    });
    const handler = new TemporalCompletion(rpc, liveness, log);
    const { maxConnections, maxCrashes, maxWaiting } = resolved;
    const flow = new Flow({ limits: resolved.flow, ledger, maxWaiting });
    const processor = new Processor({
      ...{ maxConnections, maxCrashes, transport, liveness, flow, handler, log },
      ...(observers && { observers }),
    });

    const shared: Partial<WorkerOptions> = {
      connection,
      ...(namespace !== undefined && { namespace }),
      ...(identity !== undefined && { identity }),
      dataConverter: converter,
      ...versioning(resolved),
    };
    const main = await Worker.create({
      ...shared,
      taskQueue: resolved.taskQueue,
      workflowBundle: workflowBundle ?? (await bundleWorkflows()),
      ...(resolved.payloadStore !== undefined && {
        maxConcurrentWorkflowTaskExecutions: LARGE_TASKS,
        maxConcurrentWorkflowTaskPolls: LARGE_TASKS,
      }),
      activities: createControlActivities(liveness, resolved),
    });
    requests.worker = await Worker.create({
      ...shared,
      taskQueue: requestsQueue(resolved.taskQueue),
      activities: createRequestActivities(processor, resolved),
      maxConcurrentActivityTaskPolls: Math.min(MAX_POLLERS, maxConnections),
      tuner: {
        activityTaskSlotSupplier: gatedSlots(processor.admission),
        workflowTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        localActivityTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
        nexusTaskSlotSupplier: { type: 'fixed-size', numSlots: 1 },
      },
    }).catch(async (error: unknown) => {
      await discard(main);
      throw error;
    });
    const closeTransport = (): Promise<void> => transport.close({ force: true });
    const expire = async (): Promise<void> => {
      await codec?.expire().catch((error: unknown) => {
        log.warn('Old payloads cannot be deleted; trying again later', { error });
      });
    };
    return new PatientWorker(resolved, processor, main, requests.worker, closeTransport, expire);
  }

  private constructor(
    options: ResolvedOptions,
    processor: Processor,
    main: Worker,
    requests: Worker,
    closeTransport: () => Promise<void>,
    expire: () => Promise<void>,
  ) {
    this.#options = options;
    this.processor = processor;
    this.#main = main;
    this.#requests = requests;
    this.#closeTransport = closeTransport;
    this.#expire = expire;
  }

  get options(): ResolvedOptions {
    return this.#options;
  }

  /**
   * Works until {@link shutdown} or a fatal error, then drains. Resolves with the number of
   * outcomes lost: given up at the end of the drain, or not taken by Temporal for all of it.
   */
  run(): Promise<number> {
    return (this.#running ??= this.#run());
  }

  /**
   * Stops taking requests and drains; resolves with `run()`. Idempotent. Before `run()` it gives
   * the workers up, and `run()` has nothing left to do.
   */
  async shutdown(): Promise<number> {
    this.#running ??= this.#discard();
    // A worker cannot be stopped before it runs.
    await this.#started;
    // Its polls go on meanwhile: what they bring is given back.
    await this.#drain();
    stop(this.#requests);
    return await this.#running;
  }

  async #run(): Promise<number> {
    try {
      await (this.#started = this.processor.start());
    } catch (error) {
      await this.#discard();
      throw error;
    }
    const upkeep = setInterval(() => void this.#expire(), UPKEEP);
    void this.#expire();
    const main = this.#main.run();
    // Marked as handled: either worker's failure ends the other, and is thrown below.
    main.catch(() => stop(this.#requests));
    try {
      await this.#requests.run();
      return await this.#drain();
    } finally {
      // After a failure too; a no-op when the drain above has ended.
      await this.#drain();
      stop(this.#main);
      clearInterval(upkeep);
      await main.finally(this.#closeTransport);
    }
  }

  async #discard(): Promise<number> {
    await Promise.all([discard(this.#main), discard(this.#requests)]);
    await this.#closeTransport();
    return 0;
  }

  #drain(): Promise<number> {
    // The main worker goes on meanwhile: cancels arrive through it.
    return this.processor.stop(this.#options);
  }
}

/** A worker holds on to its connection until it has run. */
async function discard(worker: Worker): Promise<void> {
  await worker.runUntil(Promise.resolve());
}

function stop(worker: Worker): void {
  if (worker.getState() === 'RUNNING') worker.shutdown();
}

/** What processes share, or what one keeps to itself. */
function createStores(
  { redisUrl, leaseTtl, taskQueue }: ResolvedOptions,
  context: Pick<RedisLivenessOptions, 'namespace' | 'releaseOrphan' | 'seal' | 'log'>,
): { liveness: Liveness; ledger: Ledger } {
  if (redisUrl === undefined) return { liveness: new MemoryLiveness(), ledger: new MemoryLedger() };
  const liveness = new RedisLiveness({ ...context, url: redisUrl, taskQueue, leaseTtl });
  const { log } = context;
  return { liveness, ledger: new RedisLedger({ access: () => liveness.access, leaseTtl, log }) };
}

/** @throws ConfigError for a store that cannot be used */
export async function checkStore(codec: PatientCodec | undefined): Promise<void> {
  await codec?.check().catch((cause: Error) => {
    throw new ConfigError(cause.message, { cause });
  });
}

/** @throws ConfigError for an age at which a closed workflow could still be read */
async function checkRetention(
  { payloadRetention }: ResolvedOptions,
  connection: NativeConnection,
  namespace: string,
): Promise<void> {
  if (payloadRetention === undefined) return;
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const kept = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1000;
  if (payloadRetention > kept) return;
  throw new ConfigError(
    `payloadRetention: expected more than the ${kept} ms for which namespace ${namespace} keeps ` +
      `closed workflows, got ${payloadRetention}`,
  );
}

function versioning({ deployment }: ResolvedOptions): Partial<WorkerOptions> {
  if (!deployment) return {};
  return {
    workerDeploymentOptions: {
      version: { deploymentName: deployment.name, buildId: deployment.buildId },
      useWorkerVersioning: true,
      // The ready-made workflows change only behind `patched`, so a newer build can take over.
      defaultVersioningBehavior: 'AUTO_UPGRADE',
    },
  };
}
