import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { validateSpec } from '../../activities/resolve-spec.ts';
import { requestError, toFailure } from '../../workflows/failure.ts';
import { NO_PROGRESS } from '../shared/attempt.ts';
import { DEFAULT_HEARTBEAT_TIMEOUT } from '../shared/constants.ts';
import { RequestError } from '../shared/errors.ts';
import { failureContext, looseSpec, type LooseSpec } from '../shared/loose-spec.ts';
import { isRequestId } from '../shared/request-id.ts';
import { toResponse, type PatientResponse } from '../shared/response.ts';
import { checkSize, fits } from '../shared/spec-size.ts';
import type { CallbackArgument, Json, RequestSpec, WireResponse } from '../shared/wire.ts';
import { InlineProcessor, resultOf, type InlineOptions } from './inline-processor.ts';

/** The options of a worker, and what stands around a single request. */
export interface RunInlineOptions extends InlineOptions {
  /**
   * What stands for the callbacks of specs, by the name of workflow or signal: workflows made by
   * `defineCallback`, or any function. A task queue is not looked at. Without this option no
   * callback runs.
   */
  callbacks?: Record<string, (argument: CallbackArgument) => unknown>;
  /** Whether the time between two tries is waited. @default true */
  retryDelays?: boolean;
  /** Cancels the request as cancelling its workflow would. */
  signal?: AbortSignal;
}

/**
 * Runs one request in this process, without Temporal: validation, transport, retries, response and
 * failure are those of a worker. A callback has run when this returns. The whole response is given
 * whatever `result` says.
 *
 * @throws the request's `ApplicationFailure`, `CancelledFailure`, or what its callback threw
 * @example
 * const response = await runInline(
 *   { url: 'https://api.example.com/price', callback: 'orderPriced', callbackArgs: { order: 17 } },
 *   { respond: () => ({ json: { price: 12 } }), callbacks: { orderPriced } },
 * );
 * response.json(); // { price: 12 }
 */
export async function runInline(
  spec: string | RequestSpec,
  options: RunInlineOptions = {},
): Promise<PatientResponse> {
  const { callbacks, retryDelays = true, signal, ...rest } = options;
  await using inline = new InlineProcessor(rest);
  // As it would arrive: dates as strings, without what is undefined.
  const arrived = asJson(spec);
  const loose = looseSpec(arrived);
  const callback = callbacks && callbackOf(loose, callbacks);
  const request = { workflowId: `inline-${randomUUID()}`, runId: randomUUID() };
  const requestId = isRequestId(loose.requestId)
    ? loose.requestId
    : Object.values(request).join('/');
  const settled = await send(inline, arrived, { requestId, request, retryDelays, signal }).then(
    (response) => ({ response }),
    (failure: unknown) => ({ failure }),
  );
  const callbackArgs = fits(loose.callbackArgs) ? ((loose.callbackArgs ?? null) as Json) : null;
  await callback?.(asJson({ requestId, ...outcomeOf(settled), callbackArgs, request }));
  if ('failure' in settled) throw settled.failure;
  return toResponse(settled.response);
}

type Settled = { response: WireResponse } | { failure: unknown };

interface SendOptions extends Pick<CallbackArgument, 'requestId' | 'request'> {
  retryDelays: boolean;
  signal: AbortSignal | undefined;
}

async function send(
  inline: InlineProcessor,
  spec: unknown,
  { requestId, request: workflow, retryDelays, signal }: SendOptions,
): Promise<WireResponse> {
  try {
    checkSize(spec);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    throw toFailure(error, failureContext(spec, requestId));
  }
  const request = validateSpec(spec, { requestId }, inline.options);
  const { deadline } = request;
  const key = { namespace: 'inline', ...workflow, activityId: 'inline' };
  const scheduledAt = Date.now();
  const deadlineAt = deadline === undefined ? undefined : scheduledAt + deadline;
  const cancel = (): Promise<void> => inline.liveness.cancel(key);
  if (signal?.aborted) await cancel();
  signal?.addEventListener('abort', cancel);
  try {
    for (let tries = 0; ; tries++) {
      const attempt = { number: tries + 1, scheduledAt: Date.now(), token: new Uint8Array() };
      const progress = { ...NO_PROGRESS, tries };
      const heartbeatTimeout = DEFAULT_HEARTBEAT_TIMEOUT;
      const ending = await inline.attempt({
        ...{ key, request, attempt, progress, heartbeatTimeout, scheduledAt, deadlineAt },
      });
      if (ending.kind !== 'retry') return resultOf(ending);
      // Cut short by a cancel, which the next try is registered with.
      if (retryDelays) await delay(ending.delay, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

function outcomeOf(settled: Settled): Pick<CallbackArgument, 'outcome' | 'response' | 'error'> {
  if ('response' in settled) return { outcome: 'response', response: settled.response };
  const error = requestError(settled.failure);
  if (!error) throw settled.failure;
  return { outcome: 'error', error };
}

function callbackOf(
  spec: LooseSpec,
  callbacks: NonNullable<RunInlineOptions['callbacks']>,
): ((argument: CallbackArgument) => unknown) | undefined {
  const name = callbackName(spec.callback);
  if (name === undefined) return undefined;
  if (Object.hasOwn(callbacks, name)) return callbacks[name];
  throw new TypeError(`runInline: the spec's callback ${name} is not among the given callbacks`);
}

/** Undefined for a wrong one too: the validation names it. */
function callbackName(callback: unknown): string | undefined {
  const { signal, workflow } = Object(callback) as { signal?: unknown; workflow?: unknown };
  return [callback, signal, workflow].find((name) => typeof name === 'string');
}

function asJson<T>(value: T): T {
  return value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T);
}
