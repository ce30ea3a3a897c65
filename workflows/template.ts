import { invalidRequest } from '../src/shared/errors.ts';
import type { RequestSpec } from '../src/shared/wire.ts';

/** What every request made from a template shares. */
export type RequestTemplate = Omit<Partial<RequestSpec>, 'url' | 'requestId'> & {
  /** Put before a relative URL; its path is kept. */
  baseUrl?: string;
  /** Queue of the Patient HTTP workers. Default `patient-http`. */
  taskQueue?: string;
};

/** A template over another: headers and params are merged, the rest is replaced. */
export function mergeTemplates(base: RequestTemplate, over: RequestTemplate): RequestTemplate {
  const merged: RequestTemplate = { ...base, ...over };
  const headers = mergeHeaders(base.headers, over.headers);
  if (headers) merged.headers = headers;
  if (base.params ?? over.params) merged.params = { ...base.params, ...over.params };
  if (base.baseUrl !== undefined && over.baseUrl !== undefined) {
    merged.baseUrl = joinUrl(base.baseUrl, over.baseUrl);
  }
  return merged;
}

/** The spec of one request made from a template. */
export function applyTemplate(template: RequestTemplate, spec: RequestSpec): RequestSpec {
  const { baseUrl, taskQueue: _, ...rest } = mergeTemplates(template, spec);
  // The one body of the request replaces the template's, of whatever kind.
  const bodies = ['body', 'json', 'form', 'bodyBase64', 'multipart'] as const;
  if (bodies.some((field) => spec[field] !== undefined)) {
    for (const field of bodies) if (spec[field] === undefined) delete rest[field];
  }
  return { ...rest, url: baseUrl === undefined ? spec.url : joinUrl(baseUrl, spec.url) };
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
    throw invalidRequest(`baseUrl: expected an absolute URL, got ${JSON.stringify(base)}`);
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
