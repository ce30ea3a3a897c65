import type { DataConverter } from '@temporalio/common';
import {
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
import { resolveOptions, type PatientOptions, type ResolvedOptions } from './config/options.ts';
import { createTlsContext } from './config/tls-context.ts';
import { Flow } from './flow/flow.ts';
import { createFleet } from './fleet/create.ts';
import type { Fleet } from './fleet/port.ts';
import { createTransport, type TransportFunctions } from './http/transport.ts';
import { codecOf, PatientCodec, withCodec } from './payload/patient-codec.ts';
import { withUnreadable } from './payload/unreadable.ts';
import type { ProcessorObserver } from './processor/observers.ts';
import { Processor } from './processor/processor.ts';
import { requestsQueue } from './shared/constants.ts';
import { ConfigError } from './shared/errors.ts';
import { gatedSlots } from './slots.ts';
import { requestLog } from './telemetry/request-log.ts';
import { workerMetrics } from './telemetry/worker-metrics.ts';
import type { WebServer } from './web/server.ts';
import { healthOf } from './web/worker-health.ts';
import { checkRetention, checkStore } from './worker-checks.ts';
import { createStores } from './worker-stores.ts';
import { createWeb } from './worker-web.ts';
import { bundleWorkflows } from './workflow-bundle.ts';

/** Temporal's default; more pollers than places would only hold permits. */
const MAX_POLLERS = 10;

/**
 * Workflow tasks at once where payloads can be large: each has its payloads in memory several times,
 * and one that takes longer than Temporal's ten seconds is run again.
 */
const LARGE_TASKS = 4;

/**
 * Of the SDK, which has no public option for it. At the end of its five seconds a workflow is stopped
 * wherever it is, and in the midst of a promise that ends the process (`async hook stack has become
 * corrupted`): a large batch takes longer on a busy machine, and workflows of ours do not hang.
 */
const SANDBOX = { isolateExecutionTimeout: '1m' };

/** ms for which outcomes that are held here are waited for, however long the drain has taken. */
const LAST_QUESTIONS = 5_000;

/** ms between two looks for payloads that are old enough to be deleted. */
const UPKEEP = 60 * 60 * 1000;

/** The options, which all have defaults, and what a worker runs on. */
export interface PatientWorkerOptions extends PatientOptions, TransportFunctions {
  /** Stays open until `run()` has resolved: what is in flight is delivered through it. */
  connection: NativeConnection;
  /** Default `default`. */
  namespace?: string;
  /** Default: the SDK's. */
  identity?: string;
  /** Yours makes the payloads; ours compresses, encrypts and stores what it made. */
  dataConverter?: DataConverter;
  /** Told what the worker does. */
  observers?: ProcessorObserver[];
  /** The bundle of {@link bundleWorkflows}, when several workers share one. */
  workflowBundle?: WorkflowBundleOption;
}

/**
 * The process side of Patient HTTP: one Temporal worker for the ready-made workflows and control
 * activities, one, gated by capacity, for requests, and the processor both serve.
 */
export class PatientWorker {
  /** What runs the requests: its state, and counts of what is in flight. */
  readonly processor: Processor;
  /** All processes of the queue, or this one without Redis; from its start to its stop. */
  readonly fleet: Fleet;
  readonly #options: ResolvedOptions;
  /** As `HeldOutcomes.stop` has it. */
  readonly #stopHeld: (ms: number) => Promise<number>;
  readonly #main: Worker;
  readonly #requests: Worker;
  readonly #closeTransport: () => Promise<void>;
  readonly #expire: () => Promise<void>;
  readonly #web: WebServer | undefined;
  #started: Promise<void> | undefined;
  #running: Promise<number> | undefined;
  #drained: Promise<number> | undefined;

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
    const tracing = resolved.tracing ? await loadTracing() : undefined;
    const sender = createTransport({
      ...{ ...resolved, ...functions },
      secureContext: createTlsContext(resolved.tls),
    });
    const transport = tracing ? new tracing.TracedTransport(sender) : sender;
    const { taskQueue, maxConnections, maxCrashes, maxWaiting } = resolved;
    const metrics = workerMetrics(Runtime.instance().metricMeter, {
      namespace: namespace ?? 'default',
      task_queue: taskQueue,
    });
    const rpc = new ActivityRpc(() => main.client!, metrics.onCall);
    const stores = createStores(resolved, {
      namespace: namespace ?? 'default',
      releaseOrphan: metrics.release((orphan, go) => handler.releaseOrphan(orphan, go)),
      seal: createOutcomeSeal(rpc),
      log,
    });
    const liveness = metrics.liveness(stores.liveness);
    const { held, redis } = stores;
    const handler = new TemporalCompletion(rpc, liveness, held, log, metrics.onDelivered);
    const flow = new Flow({ limits: resolved.flow, ledger: stores.ledger, maxWaiting });
    const { fleet, observer, attendant } = createFleet({
      ...{ redis, flow: flow.admin, log },
      processor: () => processor,
      drain() {
        worker.shutdown().catch((error: unknown) => {
          log.error('The drain that an operator asked for failed', { error });
        });
      },
    });
    const processor = new Processor({
      ...{ maxConnections, maxCrashes, transport, liveness, handler, log },
      flow: metrics.flow(flow),
      observers: [...(observers ?? []), observer, requestLog(log)],
      ...(attendant && { attendant }),
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
      activities: createControlActivities(liveness, held, resolved),
      ...SANDBOX,
    });
    const requests = await Worker.create({
      ...shared,
      dataConverter: withUnreadable(converter, log),
      taskQueue: requestsQueue(resolved.taskQueue),
      activities: createRequestActivities(processor, resolved, tracing?.captureTrace),
      ...(tracing && { interceptors: { activity: [tracing.traceInterceptor] } }),
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
    const health = healthOf(processor, liveness, [main, requests]);
    for (const each of metrics.observers({ processor, health, maxConnections })) {
      processor.observe(each);
    }
    const web = createWeb({
      ...{ options: resolved, namespace: namespace ?? 'default', health, fleet, log },
      client: () => main.client!,
    });
    const worker = new PatientWorker(
      resolved,
      processor,
      (ms) => held.stop(ms, (workflowId) => rpc.isOpen(workflowId)),
      fleet,
      main,
      requests,
      closeTransport,
      expire,
      web,
    );
    return worker;
  }

  private constructor(
    options: ResolvedOptions,
    processor: Processor,
    stopHeld: (ms: number) => Promise<number>,
    fleet: Fleet,
    main: Worker,
    requests: Worker,
    closeTransport: () => Promise<void>,
    expire: () => Promise<void>,
    web: WebServer | undefined,
  ) {
    this.#options = options;
    this.processor = processor;
    this.#stopHeld = stopHeld;
    this.fleet = fleet;
    this.#main = main;
    this.#requests = requests;
    this.#closeTransport = closeTransport;
    this.#expire = expire;
    this.#web = web;
  }

  /** The options in force, defaults filled in. */
  get options(): ResolvedOptions {
    return this.#options;
  }

  /** Where `listen` has it listen, with the real port; undefined while it does not. */
  get url(): string | undefined {
    return this.#web?.url;
  }

  /**
   * Works until {@link shutdown} or a fatal error, then drains. Resolves with the number of
   * outcomes lost: given up at the end of the drain, or not taken by Temporal, nor by their batch, for
   * all of it.
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
      await (this.#started = this.#start());
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
      await main.finally(this.#closeTransport).finally(() => this.#web?.close());
    }
  }

  async #start(): Promise<void> {
    // First, and closed last: it says that the worker starts, and that it drains.
    await this.#web?.start();
    if (this.url) Runtime.instance().logger.info('Listening', { url: this.url });
    await this.processor.start();
  }

  async #discard(): Promise<number> {
    await Promise.all([discard(this.#main), discard(this.#requests)]);
    await this.#closeTransport();
    await this.#web?.close();
    return 0;
  }

  #drain(): Promise<number> {
    return (this.#drained ??= this.#stop());
  }

  async #stop(): Promise<number> {
    const end = performance.now() + this.#options.drainTimeout;
    // The main worker goes on meanwhile: cancels arrive through it, and what is held is collected.
    const lost = await this.processor.stop(this.#options);
    const left = Math.max(end - performance.now(), LAST_QUESTIONS);
    return lost + (await this.#stopHeld(left));
  }
}

/** A worker holds on to its connection until it has run. */
async function discard(worker: Worker): Promise<void> {
  await worker.runUntil(Promise.resolve());
}

function stop(worker: Worker): void {
  if (worker.getState() === 'RUNNING') worker.shutdown();
}

/** @throws ConfigError where OpenTelemetry's API is missing */
async function loadTracing(): Promise<typeof import('./telemetry/tracing.ts')> {
  try {
    return await import('./telemetry/tracing.ts');
  } catch (cause) {
    throw new ConfigError('tracing: install @opentelemetry/api', { cause });
  }
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
