import { randomUUID } from 'node:crypto';
import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type Client,
  type WorkflowExecutionDescription,
  type WorkflowHandle,
} from '@temporalio/client';
import { checkSpec } from './config/request-spec.ts';
import { DEFAULT_TASK_QUEUE, type Method } from './shared/constants.ts';
import { RequestError } from './shared/errors.ts';
import { failureContext, looseSpec, withMethod } from './shared/loose-spec.ts';
import { isRequestId } from './shared/request-id.ts';
import { checkSize } from './shared/spec-size.ts';
import { perMethod, workflowTypeFor, type PerMethod } from './shared/methods.ts';
import { toResponse, type PatientResponse } from './shared/response.ts';
import { checkBatch } from './shared/batch-spec.ts';
import type {
  BatchProgressReport,
  BatchResult,
  BatchSpec,
  RequestSpec,
  WireResponse,
} from './shared/wire.ts';
import { toFailure } from '../workflows/failure.ts';
import type { InlineOptions, RequestOptions } from '../workflows/patient.ts';

export interface PatientClientOptions {
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
  describe(): Promise<WorkflowExecutionDescription>;
}

/** A batch started by a client, by its workflow's id. */
export interface BatchHandle {
  readonly workflowId: string;
  /** @throws the batch's `ApplicationFailure`, or `CancelledFailure` */
  result(): Promise<BatchResult>;
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
    try {
      await this.#client.workflow.start('patientBatch', {
        workflowId,
        taskQueue: this.#taskQueue,
        args: [batch],
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    return batchHandle(this.#client.workflow.getHandle(workflowId));
  }

  /** The handle of a request started elsewhere. */
  handle(requestId: string): RequestHandle {
    return requestHandle(this.#client.workflow.getHandle(requestId), requestId);
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
    try {
      await this.#client.workflow.start(workflowTypeFor(spec.method), {
        workflowId: requestId,
        taskQueue: this.#taskQueue,
        args: [spec],
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
      });
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    }
    return this.handle(requestId);
  }
}

/** What is wrong with a batch as a whole is said before it is started. */
function refuse(batch: BatchSpec, workflowId: string): void {
  try {
    checkBatch(batch);
    checkSize(batch);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw toFailure(error, failureContext({}, workflowId));
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
