import { isGrpcServiceError, type Client } from '@temporalio/client';
import {
  defaultPayloadConverter,
  type ActivitySerializationContext,
  type ApplicationFailure,
} from '@temporalio/common';
import {
  decodeArrayFromPayloads,
  encodeErrorToFailure,
  encodeToPayloadsWithContext,
} from '@temporalio/common/lib/internal-non-workflow/index.js';
import type { RequestKey } from '../shared/request-key.ts';
import { atLast, bounded, isLargeCodec, type LargeCodec } from './codecs.ts';
import { bareFailure } from './failure.ts';

/** `not-found`: this attempt is over, which does not say that the activity is. */
export type Answer = 'accepted' | 'not-found';

/** Calls by task token; `error`: it is made again, or given up. */
export type OnCall = (
  call: 'complete' | 'fail' | 'cancel' | 'heartbeat',
  answer: Answer | 'error',
) => void;

export interface HeartbeatAnswer {
  found: boolean;
  cancelRequested: boolean;
  paused: boolean;
  reset: boolean;
}

export type Payloads = NonNullable<Awaited<ReturnType<typeof encodeToPayloadsWithContext>>>;

/** Bytes that Temporal counts against its limit. */
export function payloadBytes(payloads: Payloads): number {
  return payloads.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
}

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
  readonly #onCall: OnCall;
  /** Descriptions under way, by workflow run. */
  readonly #pending = new Map<string, Promise<Set<string>>>();

  /** `client` is asked each time: a worker's connection can be swapped. */
  constructor(client: () => Client, onCall: OnCall = () => undefined) {
    this.#client = client;
    this.#onCall = onCall;
  }

  async encode(key: RequestKey, value: unknown): Promise<Payloads> {
    return (await encodeToPayloadsWithContext(this.#converter, contextOf(key), [value])) ?? [];
  }

  /** For what is kept until the store takes it. */
  async encodeWithoutStore(key: RequestKey, value: unknown): Promise<Payloads> {
    const converter = this.#converter;
    const payloadCodecs = converter.payloadCodecs.map((codec) =>
      isLargeCodec(codec) ? codec.withoutStore : codec,
    );
    const without = { ...converter, payloadCodecs };
    return (await encodeToPayloadsWithContext(without, contextOf(key), [value])) ?? [];
  }

  /** Undefined where a converter or a codec of the user's wants the whole value. */
  get encodeLarge(): LargeCodec['encodeLarge'] | undefined {
    const { payloadConverter, payloadCodecs } = this.#client().options.loadedDataConverter;
    const [codec] = payloadCodecs;
    const isAlone = payloadConverter === defaultPayloadConverter && payloadCodecs.length === 1;
    return isAlone && codec && isLargeCodec(codec) ? (json) => codec.encodeLarge(json) : undefined;
  }

  async decode(key: RequestKey, payloads: Payloads): Promise<unknown> {
    return (await decodeArrayFromPayloads(this.#converter, payloads, contextOf(key)))[0];
  }

  async complete(token: Uint8Array, payloads: Payloads): Promise<Answer> {
    const { workflowService, base } = this.#target(token);
    const call = workflowService.respondActivityTaskCompleted({ ...base, result: { payloads } });
    return this.#answer('complete', call);
  }

  /** `lastAt`, epoch ms: what no codec has taken by then goes without what it would have to take. */
  async fail(
    key: RequestKey,
    token: Uint8Array,
    error: ApplicationFailure,
    lastAt = Infinity,
  ): Promise<Answer> {
    const { workflowService, base } = this.#target(token);
    const encoding = encodeErrorToFailure(this.#converter, error, contextOf(key));
    const failure = await atLast(encoding, lastAt, () => bareFailure(error));
    const call = workflowService.respondActivityTaskFailed({ ...base, failure });
    return this.#answer('fail', call);
  }

  async cancelled(key: RequestKey, token: Uint8Array, details: unknown): Promise<Answer> {
    const { workflowService, base } = this.#target(token);
    // That it was cancelled is the most of it.
    const payloads = await atLast(this.encode(key, details), 0, () => []);
    const call = workflowService.respondActivityTaskCanceled({ ...base, details: { payloads } });
    return this.#answer('cancel', call);
  }

  async heartbeat(key: RequestKey, token: Uint8Array, details: unknown): Promise<HeartbeatAnswer> {
    const { workflowService, base } = this.#target(token);
    const payloads = await this.encode(key, details);
    const call = workflowService.recordActivityTaskHeartbeat({ ...base, details: { payloads } });
    const found = (await this.#answer('heartbeat', call)) === 'accepted';
    const response: HeartbeatResponse = found ? await call : {};
    return {
      found,
      cancelRequested: response.cancelRequested ?? false,
      paused: response.activityPaused ?? false,
      reset: response.activityReset ?? false,
    };
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

  /** Whether the last run of this workflow goes on. */
  async isOpen(workflowId: string): Promise<boolean> {
    return (await this.#describeOpen({ workflowId })) !== undefined;
  }

  async #describePending(workflowId: string, runId: string): Promise<Set<string>> {
    // A terminated workflow still lists the activities it had.
    const { pendingActivities = [] } = (await this.#describeOpen({ workflowId, runId })) ?? {};
    return new Set(pendingActivities.map(({ activityId }) => activityId ?? ''));
  }

  async #describeOpen(execution: { workflowId: string; runId?: string }) {
    const { connection, options } = this.#client();
    const { namespace } = options;
    try {
      const described = await connection.workflowService.describeWorkflowExecution({
        ...{ namespace, execution },
      });
      const status = described.workflowExecutionInfo?.status;
      return status === RUNNING || status === PAUSED ? described : undefined;
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  async #answer(name: Parameters<OnCall>[0], call: Promise<unknown>): Promise<Answer> {
    let answer: Answer | 'error' = 'error';
    try {
      await call;
      answer = 'accepted';
    } catch (error) {
      if (!isNotFound(error)) throw error;
      answer = 'not-found';
    } finally {
      this.#onCall(name, answer);
    }
    return answer;
  }

  get #converter() {
    const { loadedDataConverter } = this.#client().options;
    const payloadCodecs = loadedDataConverter.payloadCodecs.map(bounded);
    return { ...loadedDataConverter, payloadCodecs };
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

function isNotFound(error: unknown): boolean {
  return isGrpcServiceError(error) && error.code === NOT_FOUND;
}

function contextOf(key: RequestKey): ActivitySerializationContext {
  const { namespace, workflowId, activityId } = key;
  return { type: 'activity', namespace, workflowId, activityId, isLocal: false };
}
