import { randomUUID } from 'node:crypto';
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import { listBatches, type RunningBatch } from './batches.ts';
import { checkSpec } from './config/request-spec.ts';
import { redrive } from './redrive.ts';
import { DEFAULT_TASK_QUEUE, type Method } from './shared/constants.ts';
import { invalidRequest, RequestError } from './shared/errors.ts';
import { failureContext, looseSpec, withMethod } from './shared/loose-spec.ts';
import { isRequestId } from './shared/request-id.ts';
import { checkSize } from './shared/spec-size.ts';
import { perMethod, workflowTypeFor, type PerMethod } from './shared/methods.ts';
import { toResponse, type PatientResponse } from './shared/response.ts';
import { checkBatch } from './shared/batch-spec.ts';
import { describe } from './shared/values.ts';
import type { RequestSpec, WireResponse } from './shared/wire.ts';
import type { BatchProgressReport, BatchResult, BatchSpec } from './shared/wire-batch.ts';
import { toFailure } from '../workflows/failure.ts';
import type { InlineOptions, RequestOptions } from '../workflows/patient.ts';

/** What a `PatientClient` needs. */
export interface PatientClientOptions {
  /**
   * Temporal's; with the `PatientPlugin` among its plugins where payloads are encrypted or stored.
   */
  client: Client;
  /** Queue of the Patient HTTP workers. Default `patient-http`. */
  taskQueue?: string;
}

/** A request started by a client, by its id. */
export interface RequestHandle {
  /** Also the id of its workflow. */
  readonly requestId: string;
  /**
   * Waits for the response; `null` when the spec says `result: 'none'`.
   * @throws the request's `ApplicationFailure`, or `CancelledFailure`
   */
  result(): Promise<PatientResponse | null>;
  /** Asks for cancellation: the socket closes, the workflow ends Canceled. */
  cancel(): Promise<void>;
  /** What Temporal says of the request's workflow. */
  describe(): Promise<WorkflowExecutionDescription>;
}

/** A batch started by a client, by its workflow's id. */
export interface BatchHandle {
  /** The id given, or `patient-batch-<uuid>`. */
  readonly workflowId: string;
  /** @throws the batch's `ApplicationFailure`, or `CancelledFailure` */
  result(): Promise<BatchResult>;
  /** Counts of what has ended, is in flight and waits; needs a worker that runs. */
  progress(): Promise<BatchProgressReport>;
  /** Stops what is in flight; what has ended by then is in the sink, and counted by `progress`. */
  cancel(): Promise<void>;
}

type Call<Options, Result> = (url: string, options?: Options) => Promise<Result>;

type Waiting = Call<InlineOptions, PatientResponse>;

/**
 * Starts requests from any process that reaches Temporal.
 *
 * @example
 * const patient = new PatientClient({ client });
 * const response = await patient.get('https://api.example.com/price', { timeout: '5m' });
 * const handle = await patient.submit.post(url, { json, requestId: 'order-17' });
 */
export class PatientClient implements PerMethod<Waiting> {
  /**
   * Sends it and waits for its response, like the other methods; throws what {@link RequestHandle}
   * does.
   */
  readonly get: Waiting;
  readonly head: Waiting;
  readonly post: Waiting;
  readonly put: Waiting;
  readonly patch: Waiting;
  readonly delete: Waiting;
  /** Starts the request and gives a handle. The same `requestId` twice is one request. */
  readonly submit: PerMethod<Call<RequestOptions, RequestHandle>> & {
    request(spec: string | RequestSpec): Promise<RequestHandle>;
  };
  readonly #client: Client;
  readonly #taskQueue: string;

  constructor({ client, taskQueue = DEFAULT_TASK_QUEUE }: PatientClientOptions) {
    this.#client = client;
    this.#taskQueue = taskQueue;
    ({
      get: this.get,
      head: this.head,
      post: this.post,
      put: this.put,
      patch: this.patch,
      delete: this.delete,
    } = perMethod<Waiting>((method) => (url, options) => this.#send({ ...options, url }, method)));
    this.submit = {
      ...perMethod((method) => (url, options) => this.#start({ ...options, url }, method)),
      request: (spec) => this.#start(spec),
    };
  }

  /** Sends one request and waits for its response. */
  async request(spec: string | Omit<RequestSpec, 'callback' | 'result'>): Promise<PatientResponse> {
    return this.#send(spec);
  }

  /**
   * Sends many requests as one workflow and waits for its result. The same `workflowId` twice is one
   * batch.
   *
   * @throws the batch's `ApplicationFailure`, or `CancelledFailure`
   */
  async batch(
    batch: BatchSpec,
    workflowId = `patient-batch-${randomUUID()}`,
  ): Promise<BatchResult> {
    const handle = await this.submitBatch(batch, workflowId);
    return handle.result();
  }

  /** Starts a batch and gives its handle. */
  async submitBatch(
    batch: BatchSpec,
    workflowId = `patient-batch-${randomUUID()}`,
  ): Promise<BatchHandle> {
    refuse(batch, workflowId);
    await this.#startOnce('patientBatch', workflowId, batch);
    return batchHandle(this.#client.workflow.getHandle(workflowId));
  }

  /** The handle of a request started elsewhere. */
  handle(requestId: string): RequestHandle {
    return requestHandle(this.#client.workflow.getHandle(requestId), requestId);
  }

  /**
   * Starts a request or batch that has ended again, as a new one: a workflow of the same type, queue
   * and argument, with an id of its own (`<id>:redrive:<random>`), which it gives. Its `requestId` is
   * new; an `idempotencyKey` of yours stays, so that the target can tell a repetition.
   *
   * @param runId default: the newest run
   * @throws Error for one that still runs, is not there, or is no ready-made workflow
   */
  redrive(workflowId: string, runId?: string): Promise<string> {
    return redrive(this.#client, workflowId, runId);
  }

  /** Batches that run on this task queue, the newest first, at most `limit`, with their progress. */
  batches(limit = 20): Promise<RunningBatch[]> {
    return listBatches(this.#client, this.#taskQueue, limit);
  }

  async #send(given: string | RequestSpec, method?: Method): Promise<PatientResponse> {
    const handle = await this.#start(given, method);
    return (await handle.result())!;
  }

  async #start(given: string | RequestSpec, method?: Method): Promise<RequestHandle> {
    const request = looseSpec(given) as RequestSpec;
    const { requestId: label } = request;
    const requestId = isRequestId(label) ? label : `patient-${randomUUID()}`;
    const spec = { ...check(request, requestId, method), requestId };
    await this.#startOnce(workflowTypeFor(spec.method), requestId, spec);
    return this.handle(requestId);
  }

  /** One workflow of this id, whether it runs or has ended. */
  async #startOnce(type: string, workflowId: string, argument: unknown): Promise<void> {
    try {
      await this.#client.workflow.start(type, {
        workflowId,
        taskQueue: this.#taskQueue,
        args: [argument],
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
  }
}

/** What is wrong with a batch as a whole is said before it is started. */
function refuse(batch: BatchSpec, workflowId: unknown): void {
  const isId = typeof workflowId === 'string' && workflowId !== '';
  try {
    if (!isId) throw invalidRequest(`workflowId: expected a text, got ${describe(workflowId)}`);
    // Its run's id is not known yet; all are as long.
    checkBatch(batch, `${workflowId}/${randomUUID()}`);
    checkSize(batch);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw toFailure(error, failureContext({}, isId ? workflowId : ''));
  }
}

function check(request: RequestSpec, requestId: string, method: Method | undefined): RequestSpec {
  try {
    const name = `patient.${method?.toLowerCase()}`;
    const spec = method ? (withMethod(request, method, name) as RequestSpec) : request;
    checkSize(spec);
    checkSpec(spec);
    return spec;
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw toFailure(error, { ...failureContext(request, requestId), ...(method && { method }) });
  }
}

function batchHandle(workflow: WorkflowHandle): BatchHandle {
  return {
    workflowId: workflow.workflowId,
    result: () => resultOf<BatchResult>(workflow),
    progress: () => workflow.query<BatchProgressReport>('progress'),
    async cancel() {
      await workflow.cancel();
    },
  };
}

/** The failure that a workflow ended with, instead of the client's frame around it. */
async function resultOf<T>(workflow: WorkflowHandle): Promise<T> {
  try {
    return (await workflow.result()) as T;
  } catch (error) {
    throw error instanceof WorkflowFailedError ? (error.cause ?? error) : error;
  }
}

function requestHandle(workflow: WorkflowHandle, requestId: string): RequestHandle {
  return {
    requestId,
    async result() {
      const wire = await resultOf<WireResponse | null>(workflow);
      return wire && toResponse(wire);
    },
    async cancel() {
      await workflow.cancel();
    },
    describe: () => workflow.describe(),
  };
}
