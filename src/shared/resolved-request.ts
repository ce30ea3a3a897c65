import type { Method } from './constants.ts';
import type { ResolvedFlow } from './flow-limits.ts';
import type { Json, MultipartPart, Protocol, Scalar, SecretRef } from './wire.ts';

export interface ResolvedRetry {
  maximumAttempts: number;
  statuses: number[];
  initialInterval: number;
  backoffCoefficient: number;
  maximumInterval: number;
  maxRetryAfter: number;
}

export type RequestBody =
  | { kind: 'text'; value: string }
  | { kind: 'json'; value: unknown }
  | { kind: 'form'; value: Record<string, Scalar | Scalar[]> }
  | { kind: 'base64'; value: string }
  | { kind: 'multipart'; value: MultipartPart[] };

/** Headers and parameters whose values the worker puts in when it sends. */
export interface RequestSecrets {
  headers: Readonly<Record<string, SecretRef>>;
  params: Readonly<Record<string, SecretRef>>;
}

/**
 * A validated spec with every default filled in: durations are milliseconds, sizes bytes,
 * header names lower-case. What the processor and the transport work on.
 */
export interface ResolvedRequest {
  requestId: string;
  url: string;
  method: Method;
  headers: Record<string, string | string[]>;
  params: Record<string, Scalar | Scalar[]>;
  /** Kept apart from the rest, so that no URL or header that is shown can hold one. */
  secrets: RequestSecrets | undefined;
  preprocessors: readonly string[];
  body: RequestBody | undefined;
  timeout: number;
  connectTimeout: number;
  firstByteTimeout: number | undefined;
  idleTimeout: number | undefined;
  protocol: Protocol;
  /** Null: none; undefined: the worker's. */
  proxyUrl: string | SecretRef | null | undefined;
  maxRedirects: number;
  allowDowngrade: boolean;
  maxResponseSize: number;
  raiseErrorResponses: boolean;
  retry: ResolvedRetry;
  /** May be sent again after its first byte may have gone out. */
  resendable: boolean;
  /** Value of the `Idempotency-Key` header. */
  idempotencyKey: string | undefined;
  deadline: number | undefined;
  callbackArgs: Json;
  /** Undefined: its host's, if that has limits. */
  flow: ResolvedFlow | undefined;
}

/** Whether a response with this status, once it is the last, ends the request as `HttpStatusError`. */
export function raises({ raiseErrorResponses }: ResolvedRequest, status: number): boolean {
  return raiseErrorResponses && (status < 200 || status > 299);
}
