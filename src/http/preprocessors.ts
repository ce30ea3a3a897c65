import type { Method } from '../shared/constants.ts';
import { RequestError } from '../shared/errors.ts';
import { isHeaderName, isHeaderValue, isTransportHeader } from '../shared/header-rules.ts';
import type { Scalar } from '../shared/wire.ts';
import { appendParams, encodeBody } from './prepare.ts';
import type { Headers, PreparedRequest } from './prepare.ts';

/** A request as it is about to go out: everything is in it but what frames it on the wire. */
export interface FinalRequest {
  readonly method: Method;
  /** With its query, secrets among it. */
  readonly url: string;
  /** Lower-case names. `host` and `content-length` follow from URL and body. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Empty if there is none. */
  readonly body: Uint8Array;
}

/** What a preprocessor changes; the rest stays as it is. */
export interface RequestChanges {
  /** Set, or with undefined taken away. */
  headers?: Record<string, string | string[] | undefined>;
  /** Appended to the query. */
  params?: Record<string, Scalar | Scalar[]>;
  /** In place of the body. */
  body?: string | Uint8Array;
}

/** What a preprocessor can use beside the request. */
export interface PreprocessorContext {
  /** The value of a secret; wherever the server echoes it, it is taken out. */
  secret: (name: string) => Promise<string>;
}

/**
 * Gets each request that names it right before it goes out, at every try and at every redirect
 * within an origin, and gives what it changes. An error it throws becomes a `PreprocessorError`,
 * with nothing sent, and the next try runs it again.
 */
export type Preprocessor = (
  request: FinalRequest,
  context: PreprocessorContext,
) => RequestChanges | void | Promise<RequestChanges | void>;

/** By the names that requests call them by. */
export type Preprocessors = Readonly<Record<string, Preprocessor>>;

type Step = readonly [name: string, run: Preprocessor];

/** @throws RequestError `PreprocessorError` for a name that is not registered */
export function findPreprocessors(names: readonly string[], known: Preprocessors): Step[] {
  return names.map((name) => {
    if (Object.hasOwn(known, name)) return [name, known[name]!];
    throw new RequestError('PreprocessorError', `preprocessor ${name} is not known to the worker`);
  });
}

/** One after the other; each sees what those before it have changed. */
export async function preprocess(
  request: PreparedRequest,
  steps: readonly Step[],
  context: PreprocessorContext,
): Promise<PreparedRequest> {
  let current = request;
  for (const [name, run] of steps) {
    try {
      const body = current.body ? encodeBody(current.body) : Buffer.alloc(0);
      const { method, url } = current;
      const headers = Object.freeze(structuredClone(current.headers));
      const changes = await run({ method, url: url.href, headers, body }, context);
      if (changes !== undefined && (typeof changes !== 'object' || changes === null)) {
        throw new TypeError(`expected an object of changes, got a ${typeof changes}`);
      }
      if (changes) current = change(current, changes);
    } catch (cause) {
      if (cause instanceof RequestError) throw cause;
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new RequestError('PreprocessorError', `preprocessor ${name}: ${message}`, {
        transient: true,
        cause,
      });
    }
  }
  return current;
}

function change(request: PreparedRequest, changes: RequestChanges): PreparedRequest {
  const { headers = {}, params = {}, body } = changes;
  const next = {
    ...request,
    url: appendParams(new URL(request.url), params),
    headers: changedHeaders(request.headers, headers),
  };
  if (body === undefined) return next;
  if (request.method === 'GET' || request.method === 'HEAD') {
    throw new TypeError(`expected no body with ${request.method}`);
  }
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw new TypeError('expected a body of text or bytes');
  }
  return { ...next, body: { kind: 'bytes', value: Buffer.from(body as Uint8Array) } };
}

function changedHeaders(
  headers: Headers,
  changes: NonNullable<RequestChanges['headers']>,
): Headers {
  const changed = { ...headers };
  for (const [given, value] of Object.entries(changes)) {
    const name = given.toLowerCase();
    if (!isHeaderName(name)) throw new TypeError('expected header names');
    if (isTransportHeader(name)) throw new TypeError(`header ${name} is set by the transport`);
    if (value === undefined) {
      delete changed[name];
    } else if ([value].flat().every((each) => typeof each === 'string' && isHeaderValue(each))) {
      changed[name] = value;
    } else {
      throw new TypeError(`header ${name}: expected characters that a header can hold`);
    }
  }
  return changed;
}
