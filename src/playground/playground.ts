import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import { HTTPException } from 'hono/http-exception';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Worker,
  type NativeConnection,
} from '@temporalio/worker';
import { PatientCodec, withCodec } from '../payload/patient-codec.ts';
import type { Log } from '../shared/log.ts';
import { WebServer, type ListenAddress } from '../web/server.ts';
import type { PatientWorker } from '../worker.ts';
import { createPlayground } from './app.tsx';
import { createPlainFetch } from './plain-fetch.ts';
import { observerOf, Rounds } from './rounds.ts';
import { PLAYGROUND_QUEUE } from './shared.ts';

export interface PlaygroundSettings {
  /** Makes the calls of one side. */
  worker: PatientWorker;
  connection: NativeConnection;
  namespace: string;
  temporalUi: string | undefined;
  /** Where the calls go; `worker` has to be allowed to. */
  target: string;
  /** Of the page. */
  listen: ListenAddress;
  log: Log;
}

/** The sample app: its page, and the worker of its workflows and of the plain activity. */
export class Playground implements AsyncDisposable {
  readonly #rounds: Rounds;
  readonly #server: WebServer;
  readonly #worker: Worker;
  readonly #running: Promise<void>;

  /** Resolves when calls can be fired. */
  static async start(settings: PlaygroundSettings): Promise<Playground> {
    const { worker: patient, connection, namespace, temporalUi, target, listen, log } = settings;
    const { taskQueue, maxConnections } = patient.options;
    const dataConverter = withCodec(undefined, new PatientCodec(patient.options));
    const client = new Client({ connection, namespace, dataConverter });
    const rounds = new Rounds({ client, taskQueue, target });
    patient.processor.observe(observerOf(rounds.sides.patient));
    const workflowsPath = fileURLToPath(new URL('./workflows/', import.meta.url));
    const worker = await Worker.create({
      ...{ connection, namespace, dataConverter },
      taskQueue: PLAYGROUND_QUEUE,
      // A worker as it is without further settings: that is the point.
      workflowBundle: await bundleWorkflowCode({
        workflowsPath,
        logger: new DefaultLogger('ERROR'),
      }),
      activities: createPlainFetch(rounds.sides.plain),
    });
    const dashboard = patient.options.dashboard ? patient.url : undefined;
    const app = createPlayground({ rounds, target, temporalUi, dashboard, maxConnections });
    app.onError((error, context) => {
      if (error instanceof HTTPException) return error.getResponse();
      log.warn('Playground', { error });
      return context.text('That did not work: see the log', 500);
    });
    const server = new WebServer(app, listen);
    await server.start();
    return new Playground(rounds, server, worker);
  }

  private constructor(rounds: Rounds, server: WebServer, worker: Worker) {
    this.#rounds = rounds;
    this.#server = server;
    this.#worker = worker;
    this.#running = worker.run();
    // A failure shows when it is closed.
    this.#running.catch(() => undefined);
  }

  get url(): string {
    return this.#server.url!;
  }

  /** Cancels the calls that are under way. */
  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close();
    if (this.#worker.getState() === 'RUNNING') this.#worker.shutdown();
    await this.#running;
  }
}
