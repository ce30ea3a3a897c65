import type { FailureDetail, Phase, WireResponse } from './wire.ts';

/** Failure types, as `ApplicationFailure.type`, and the original's word for each. */
export const ERROR_WORDS = {
  TimeoutError: 'timeout',
  ConnectionError: 'connection',
  TlsError: 'ssl',
  ResponseTooLargeError: 'response_too_large',
  TooManyRedirectsError: 'redirect',
  RedirectLoopError: 'redirect',
  RedirectRefusedError: 'redirect',
  HttpStatusError: 'http_error',
  InvalidRequestError: 'invalid_request',
  SecretNotFoundError: 'secret',
  PreprocessorError: 'preprocessor',
  BlockedAddressError: 'blocked_address',
  OutcomeUnknownError: 'outcome_unknown',
  CancelledError: 'cancelled',
  UnknownError: 'unknown',
} as const;

/** Which kind of failure: the `type` of a request's `ApplicationFailure`. */
export type ErrorType = keyof typeof ERROR_WORDS;
/** patient_http's word for an error type, which other languages may know. */
export type ErrorWord = (typeof ERROR_WORDS)[ErrorType];

export function isErrorType(value: unknown): value is ErrorType {
  return typeof value === 'string' && Object.hasOwn(ERROR_WORDS, value);
}

export interface RequestErrorOptions {
  /** Default `prepare`. */
  phase?: Phase;
  /** Another try may end differently. Default false. */
  transient?: boolean;
  /** The response of an `HttpStatusError`. */
  response?: WireResponse;
  cause?: unknown;
}

/**
 * A request that ended without a usable response. The message names what went wrong and never
 * carries a query string, userinfo or secret: it ends in logs and in workflow history.
 */
export class RequestError extends Error {
  readonly type: ErrorType;
  readonly phase: Phase;
  readonly transient: boolean;
  readonly response: WireResponse | undefined;

  constructor(type: ErrorType, message: string, options: RequestErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = type;
    this.type = type;
    this.phase = options.phase ?? 'prepare';
    this.transient = options.transient ?? false;
    this.response = options.response;
  }
}

/**
 * A payload that could not be encoded or decoded. The message names the option, the key's id or the
 * store, never a key or a body: it ends in logs and in workflow history.
 */
export class PayloadError extends Error {
  override readonly name = 'PayloadError';
}

/** What a request ended with is kept, and cannot be read in this process. */
export class KeptOutcomeError extends Error {
  override readonly name = 'KeptOutcomeError';
}

/** A refused spec: names the field and the value, is never retried. */
export function invalidRequest(message: string): RequestError {
  return new RequestError('InvalidRequestError', message);
}

/** What a failure's detail needs beside the error itself. */
export type FailureContext = Pick<
  FailureDetail,
  'url' | 'method' | 'requestId' | 'durationMs' | 'attempt'
>;

/** Wrong options: the message names each, its value and what was expected. */
export class ConfigError extends TypeError {
  override readonly name = 'ConfigError';
}
