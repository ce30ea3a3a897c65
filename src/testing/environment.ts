import { randomUUID } from 'node:crypto';
import { Client } from '@temporalio/client';
import type { Workflow, WorkflowResultType } from '@temporalio/common';
import { NativeConnection, Worker, type WorkerOptions } from '@temporalio/worker';
import { PatientClient } from '../client.ts';
import { resolveOptions } from '../config/options.ts';
import { PatientCodec, withCodec } from '../payload/patient-codec.ts';
import { PatientWorker, type PatientWorkerOptions } from '../worker.ts';
import { startTargetServer, type TargetServer, type TargetServerOptions } from './target-server.ts';
import { startTemporalServer, type TemporalServerOptions } from './temporal-server.ts';

/**
 * The options of the Patient HTTP worker, and those of what stands around it. Private addresses
 * are allowed by default, and a shutdown waits for nothing.
 */
export interface TestEnvironmentOptions extends Omit<Partial<PatientWorkerOptions>, 'connection'> {
  /** `host:port` of a running Temporal. @default a development server of its own */
  address?: string;
  /** For a development server of its own. */
  server?: TemporalServerOptions;
  /** For the HTTP server to call. */
  target?: TargetServerOptions;
  /** A worker for your own workflows and activities. @default none */
  user?: Omit<WorkerOptions, 'connection' | 'namespace' | 'taskQueue'> & { taskQueue?: string };
}

/** Everything that {@link startTestEnvironment} has started; disposing ends it. */
export interface TestEnvironment extends AsyncDisposable {
  /** `host:port` of Temporal. */
  readonly address: string;
  readonly client: Client;
  readonly patient: PatientClient;
  readonly worker: PatientWorker;
  readonly target: TargetServer;
  /** Of the Patient HTTP worker. */
  readonly taskQueue: string;
  /** Of your worker. */
  readonly userQueue: string;
  /** Runs one of your workflows and gives its result. */
  run<T extends Workflow>(
    workflow: T,
    args: Parameters<T>,
    workflowId?: string,
  ): Promise<WorkflowResultType<T>>;
  run<T>(workflowType: string, args: unknown[], workflowId?: string): Promise<T>;
}

/**
 * Temporal, a Patient HTTP worker, an HTTP server to call and, if wanted, your own worker.
 *
 * @example
 * await using env = await startTestEnvironment({ user: { workflowsPath } });
 * const price = await env.run(fetchPrice, [env.target.url('/echo')]);
 * assertSentOnce(env.target, 1);
 */
export async function startTestEnvironment(
  options: TestEnvironmentOptions = {},
): Promise<TestEnvironment> {
  const { address: given, server: serverOptions, target: targetOptions, user, ...rest } = options;
  const { namespace = serverOptions?.namespace, identity, dataConverter, ...others } = rest;
  const {
    observers: _,
    workflowBundle: __,
    secrets: ___,
    preprocessors: ____,
    ...checked
  } = others;
  const shared = {
    ...(namespace !== undefined && { namespace }),
    ...(identity !== undefined && { identity }),
    // One for the worker, the client and the user's worker alike.
    dataConverter: withCodec(dataConverter, new PatientCodec(resolveOptions(checked))),
  };
  const undo: (() => Promise<unknown>)[] = [];
  const dispose = (): Promise<void> => undoAll(undo.splice(0));
  try {
    const server = given === undefined ? await startTemporalServer(serverOptions) : undefined;
    if (server) undo.push(() => server.stop());
    const address = given ?? server!.address;
    const connection = await NativeConnection.connect({ address });
    undo.push(() => connection.close());
    const target = await startTargetServer(targetOptions);
    undo.push(() => target.close());

    const timings = { shutdownTimeout: 0, drainTimeout: 0 };
    const worker = await PatientWorker.create({
      ...{ connection, allowPrivateAddresses: true, ...timings },
      ...{ ...rest, ...shared },
    });
    undo.push(running(worker.run(), () => worker.shutdown()));
    const userQueue = user?.taskQueue ?? `user-${randomUUID()}`;
    if (user) {
      const own = await Worker.create({ ...user, connection, ...shared, taskQueue: userQueue });
      undo.push(running(own.run(), () => own.getState() === 'RUNNING' && own.shutdown()));
    }

    const { taskQueue } = worker.options;
    const client = new Client({ connection, ...shared });
    return {
      ...{ address, client, worker, target, taskQueue, userQueue },
      patient: new PatientClient({ client, taskQueue }),
      run(workflow: string | Workflow, args: unknown[], workflowId: string = randomUUID()) {
        if (!user) throw new TypeError('startTestEnvironment: run() needs the option user');
        return client.workflow.execute(workflow, { taskQueue: userQueue, workflowId, args });
      },
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Stops what runs; a failure meanwhile shows when it is stopped, not as an unhandled one. */
function running(run: Promise<unknown>, stop: () => unknown): () => Promise<unknown> {
  run.catch(() => undefined);
  return async () => {
    await stop();
    await run;
  };
}

/** In reverse, all of them, whichever fails. */
async function undoAll(steps: (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const step of steps.reverse()) await step().catch((error: unknown) => errors.push(error));
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new AggregateError(errors, 'The test environment did not stop');
}
