import { RequestError } from '../shared/errors.ts';
import type { ErrorType } from '../shared/errors.ts';
import type { RequestSecrets, ResolvedRequest } from '../shared/resolved-request.ts';
import { redactUrl } from '../shared/url.ts';
import type { PreparedRequest } from './prepare.ts';
import type { Redaction } from './redaction.ts';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** What describes a body, and goes with it (RFC 9110 §15.4; its Digest became RFC 9530's fields). */
const BODY_HEADERS = /^(?:content-.+|(?:repr-)?digest|last-modified)$/;

/** What another origin must not see (RFC 9110 §15.4). */
const ORIGIN_HEADERS = ['authorization', 'cookie', 'proxy-authorization'];

/** The Location to follow, or undefined if the response is to be delivered as it is. */
export function redirectLocation(
  status: number,
  headers: NodeJS.Dict<string | string[]>,
  maxRedirects: number,
): string | undefined {
  if (maxRedirects === 0 || !REDIRECTS.has(status)) return undefined;
  const { location } = headers;
  return (Array.isArray(location) ? location[0] : location) || undefined;
}

/** The redirects of one try: where it has been and where it may go. */
export class RedirectChain {
  /** URLs visited before the current one. */
  readonly urls: string[] = [];
  readonly #visited = new Set<string>();
  readonly #rules: Pick<ResolvedRequest, 'maxRedirects' | 'allowDowngrade'>;

  readonly #redaction: Redaction | undefined;

  /** `redaction` knows the secrets that are sent, if there are any. */
  constructor(
    rules: Pick<ResolvedRequest, 'maxRedirects' | 'allowDowngrade'>,
    redaction?: Redaction,
  ) {
    this.#rules = rules;
    this.#redaction = redaction;
  }

  /** The request that follows `from`, or a RequestError. */
  next(from: PreparedRequest, status: number, location: string): PreparedRequest {
    this.urls.push(from.url.href);
    this.#visited.add(`${from.method} ${from.url.href}`);
    const label = `${from.method} ${redactUrl(from.url.href)}`;
    if (this.urls.length > this.#rules.maxRedirects) {
      throw refuse(
        'TooManyRedirectsError',
        `${label}: more than ${this.#rules.maxRedirects} redirects`,
      );
    }

    const url = this.#target(from, location, label);
    const next = { ...from, url };
    if (becomesGet(from.method, status)) {
      next.method = 'GET';
      next.body = undefined;
      next.headers = without(next.headers, (name) => BODY_HEADERS.test(name));
    }
    if (url.origin === from.url.origin) {
      next.secrets = from.secrets && withoutParams(from.secrets, url);
    } else {
      next.headers = without(next.headers, (name) => ORIGIN_HEADERS.includes(name));
      next.secrets = undefined;
      next.preprocessors = [];
      if (this.#redaction) dropSecrets(url, this.#redaction, label);
    }
    if (this.#visited.has(`${next.method} ${url.href}`)) {
      throw refuse('RedirectLoopError', `${label}: redirected back to ${redactUrl(url.href)}`);
    }
    return next;
  }

  #target(from: PreparedRequest, location: string, label: string): URL {
    // A header is read as latin1, but servers write UTF-8 (as browsers expect of them).
    const text = Buffer.from(location, 'latin1').toString('utf8');
    if (!URL.canParse(text, from.url.href)) {
      throw refuse('RedirectRefusedError', `${label}: redirected to an invalid Location`);
    }
    const url = new URL(text, from.url);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw refuse('RedirectRefusedError', `${label}: redirected to a ${url.protocol} URL`);
    }
    if (from.url.protocol === 'https:' && url.protocol === 'http:' && !this.#rules.allowDowngrade) {
      throw refuse(
        'RedirectRefusedError',
        `${label}: redirected from https to ${redactUrl(url.href)} (set allowDowngrade to follow)`,
      );
    }
    // Credentials a server puts into a Location are neither sent nor reported. No request of ours
    // has a fragment, so there is none for a Location to inherit (RFC 9110 §10.2.2).
    url.username = '';
    url.password = '';
    url.hash = '';
    return url;
  }
}

function becomesGet(method: string, status: number): boolean {
  if (method === 'GET' || method === 'HEAD') return false;
  return status === 303 || (method === 'POST' && (status === 301 || status === 302));
}

function without(
  headers: PreparedRequest['headers'],
  drop: (name: string) => boolean,
): PreparedRequest['headers'] {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !drop(name)));
}

/** A Location that names a parameter itself says what it is to be. */
function withoutParams({ headers, params }: RequestSecrets, url: URL): RequestSecrets {
  const missing = Object.entries(params).filter(([name]) => !url.searchParams.has(name));
  return { headers, params: Object.fromEntries(missing) };
}

/** A server that echoes the query into its Location would hand a secret on. */
function dropSecrets(url: URL, redaction: Redaction, label: string): void {
  const pairs = url.search.slice(1).split('&');
  const kept = pairs.filter((pair) => !redaction.finds(pair));
  if (kept.length < pairs.length) url.search = kept.join('&');
  if (redaction.finds(url.href)) {
    throw refuse('RedirectRefusedError', `${label}: redirected to another origin with a secret`);
  }
}

function refuse(type: ErrorType, message: string): RequestError {
  return new RequestError(type, message, { phase: 'sent' });
}
