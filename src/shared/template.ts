import { invalidRequest } from './errors.ts';
import { quoteUrl } from './url.ts';
import type { RequestSpec } from './wire.ts';

/** What every request made from a template shares. */
export interface RequestTemplate extends Omit<Partial<RequestSpec>, 'url' | 'requestId'> {
  /** Put before a relative URL; its path is kept. */
  baseUrl?: string;
  /** Queue of the Patient HTTP workers. Default `patient-http`. */
  taskQueue?: string;
}

const BODIES = ['body', 'json', 'form', 'bodyBase64', 'multipart'] as const;

/**
 * A template over another: headers and params are merged, the rest is replaced, a body by one of
 * whatever kind. A field that is undefined says nothing.
 */
export function mergeTemplates(base: RequestTemplate, over: RequestTemplate): RequestTemplate {
  const given = Object.entries(over).filter(([, value]) => value !== undefined);
  const merged: RequestTemplate = { ...base, ...Object.fromEntries(given) };
  if (BODIES.some((field) => over[field] !== undefined)) {
    for (const field of BODIES) if (over[field] === undefined) delete merged[field];
  }
  const headers = mergeHeaders(base.headers, over.headers);
  if (headers) merged.headers = headers;
  if (base.params ?? over.params) merged.params = { ...base.params, ...over.params };
  if (base.baseUrl !== undefined && over.baseUrl !== undefined) {
    merged.baseUrl = joinUrl(base.baseUrl, over.baseUrl);
  }
  return merged;
}

/**
 * The spec of one request made from a template. A URL of another origin than the template's goes
 * without the template's credentials, as a redirect there would.
 */
export function applyTemplate(template: RequestTemplate, spec: RequestSpec): RequestSpec {
  const { baseUrl, url } = { ...template, url: spec.url };
  // Anything but text is the validation's to name.
  if (baseUrl === undefined || typeof url !== 'string') {
    const { baseUrl: _, taskQueue: _queue, ...rest } = mergeTemplates(template, spec);
    return { ...rest, url };
  }
  const joined = joinUrl(baseUrl, url);
  const isForeign = URL.canParse(joined) && new URL(joined).origin !== new URL(baseUrl).origin;
  const shared = isForeign ? withoutCredentials(template) : template;
  const { baseUrl: _, taskQueue: _queue, ...rest } = mergeTemplates(shared, spec);
  return { ...rest, url: joined };
}

const CREDENTIALS = new Set(['authorization', 'cookie', 'proxy-authorization']);

function withoutCredentials(template: RequestTemplate): RequestTemplate {
  const { headers = {}, params = {}, preprocessors: _, ...rest } = template;
  const isSecret = (value: unknown): boolean =>
    typeof value === 'object' && value !== null && '$secret' in value;
  const keptHeaders = Object.entries(headers).filter(
    ([name, value]) => !CREDENTIALS.has(name.toLowerCase()) && !isSecret(value),
  );
  const keptParams = Object.entries(params).filter(([, value]) => !isSecret(value));
  return {
    ...rest,
    headers: Object.fromEntries(keptHeaders),
    params: Object.fromEntries(keptParams),
  };
}

/**
 * `relative` below `base`: a path is appended to the base's path, queries are joined, and an
 * absolute URL replaces the base.
 */
function joinUrl(base: string, relative: string): string {
  if (/^[a-z][a-z0-9+.-]*:/i.test(relative)) return relative;
  let url: URL;
  try {
    url = new URL(base);
  } catch {
    throw invalidRequest(`baseUrl: expected an absolute URL, got ${quoteUrl(base)}`);
  }
  const [, path = '', query = ''] = /^([^?#]*)\??([^#]*)/.exec(relative) ?? [];
  if (path) url.pathname = `${url.pathname.replace(/\/$/, '')}/${path.replace(/^\//, '')}`;
  url.search = [url.search.slice(1), query].filter(Boolean).join('&');
  return url.href;
}

function mergeHeaders(
  base: RequestSpec['headers'],
  over: RequestSpec['headers'],
): RequestSpec['headers'] {
  if (!base || !over) return over ?? base;
  const replaced = new Set(Object.keys(over).map((name) => name.toLowerCase()));
  const kept = Object.entries(base).filter(([name]) => !replaced.has(name.toLowerCase()));
  return { ...Object.fromEntries(kept), ...over };
}
