import { isGrpcServiceError, type Client } from '@temporalio/client';
import type { ActivitySerializationContext, ApplicationFailure } from '@temporalio/common';
import {
  decodeArrayFromPayloads,
  encodeErrorToFailure,
  encodeToPayloadsWithContext,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { RequestKey } from '../shared/request-key.ts';

/** `not-found`: this attempt is over, which does not say that the activity is. */
export type Answer = 'accepted' | 'not-found';

export interface HeartbeatAnswer {
  found: boolean;
  cancelRequested: boolean;
  paused: boolean;
  reset: boolean;
}

export type Payloads = NonNullable<Awaited<ReturnType<typeof encodeToPayloadsWithContext>>>;

interface HeartbeatResponse {
  cancelRequested?: boolean | null;
  activityPaused?: boolean | null;
  activityReset?: boolean | null;
}

const NOT_FOUND = 5;
/** The open ones of `temporal.api.enums.v1.WorkflowExecutionStatus`. */
const RUNNING = 1;
const PAUSED = 8;

/**
 * Temporal's calls by task token, made raw: `AsyncCompletionClient` drops the gRPC status, without
 * which what may be tried again looks like what may not, and has no size check. Codecs apply as
 * they would in a worker, with the serialization context of a worker-run activity.
 */
export class ActivityRpc {
  readonly #client: () => Client;
  /** Descriptions under way, by workflow run. */
  readonly #pending = new Map<string, Promise<Set<string>>>();

  /** `client` is asked each time: a worker's connection can be swapped. */
  constructor(client: () => Client) {
    this.#client = client;
  }

  async encode(key: RequestKey, value: unknown): Promise<Payloads> {
    const { loadedDataConverter } = this.#client().options;
    return (await encodeToPayloadsWithContext(loadedDataConverter, contextOf(key), [value])) ?? [];
  }

  async decode(key: RequestKey, payloads: Payloads): Promise<unknown> {
    const { loadedDataConverter } = this.#client().options;
    return (await decodeArrayFromPayloads(loadedDataConverter, payloads, contextOf(key)))[0];
  }

  async complete(token: Uint8Array, payloads: Payloads): Promise<Answer> {
    const { workflowService, base } = this.#target(token);
    return answer(workflowService.respondActivityTaskCompleted({ ...base, result: { payloads } }));
  }

  async fail(key: RequestKey, token: Uint8Array, error: ApplicationFailure): Promise<Answer> {
    const { workflowService, base } = this.#target(token);
    const { loadedDataConverter } = this.#client().options;
    const failure = await encodeErrorToFailure(loadedDataConverter, error, contextOf(key));
    return answer(workflowService.respondActivityTaskFailed({ ...base, failure }));
  }

  async cancelled(key: RequestKey, token: Uint8Array, details: unknown): Promise<Answer> {
    const { workflowService, base } = this.#target(token);
    const payloads = await this.encode(key, details);
    return answer(workflowService.respondActivityTaskCanceled({ ...base, details: { payloads } }));
  }

  async heartbeat(key: RequestKey, token: Uint8Array, details: unknown): Promise<HeartbeatAnswer> {
    const { workflowService, base } = this.#target(token);
    const payloads = await this.encode(key, details);
    try {
      const response: HeartbeatResponse = await workflowService.recordActivityTaskHeartbeat({
        ...base,
        details: { payloads },
      });
      return {
        found: true,
        cancelRequested: response.cancelRequested ?? false,
        paused: response.activityPaused ?? false,
        reset: response.activityReset ?? false,
      };
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return { found: false, cancelRequested: false, paused: false, reset: false };
    }
  }

  /** Whether Temporal still waits for this activity, in whatever attempt. */
  async isPending({ workflowId, runId, activityId }: RequestKey): Promise<boolean> {
    const id = JSON.stringify([workflowId, runId]);
    // After an outage all requests of a workflow ask at once, and one answer says it for all.
    const asked = this.#pending.get(id) ?? this.#describePending(workflowId, runId);
    this.#pending.set(id, asked);
    try {
      return (await asked).has(activityId);
    } finally {
      this.#pending.delete(id);
    }
  }

  async #describePending(workflowId: string, runId: string): Promise<Set<string>> {
    const { connection, options } = this.#client();
    try {
      const description = await connection.workflowService.describeWorkflowExecution({
        namespace: options.namespace,
        execution: { workflowId, runId },
      });
      // A terminated workflow still lists the activities it had.
      const status = description.workflowExecutionInfo?.status;
      if (status !== RUNNING && status !== PAUSED) return new Set();
      return new Set(description.pendingActivities.map(({ activityId }) => activityId ?? ''));
    } catch (error) {
      if (isNotFound(error)) return new Set();
      throw error;
    }
  }

  #target(taskToken: Uint8Array) {
    const { connection, options } = this.#client();
    const { namespace, identity } = options;
    return {
      workflowService: connection.workflowService,
      base: { namespace, identity, taskToken },
    };
  }
}

async function answer(call: Promise<unknown>): Promise<Answer> {
  try {
    await call;
    return 'accepted';
  } catch (error) {
    if (isNotFound(error)) return 'not-found';
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return isGrpcServiceError(error) && error.code === NOT_FOUND;
}

function contextOf(key: RequestKey): ActivitySerializationContext {
  const { namespace, workflowId, activityId } = key;
  return { type: 'activity', namespace, workflowId, activityId, isLocal: false };
}
