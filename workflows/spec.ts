import { workflowInfo } from '@temporalio/workflow';
import type { Method } from '../src/shared/constants.ts';
import { invalidRequest } from '../src/shared/errors.ts';
import { cutText } from '../src/shared/text.ts';
import { redactUrl } from '../src/shared/url.ts';
import type { RequestSpec } from '../src/shared/wire.ts';

/** Temporal takes 400 bytes; more would block the workflow. */
const MAX_SUMMARY = 300;

/**
 * The spec as far as workflow code reads it. The submit activity validates it; until then every
 * field can be anything, and a wrong one is left for the activity to name.
 */
export type LooseSpec = { [Field in keyof RequestSpec]?: unknown };

export function looseSpec(spec: unknown): LooseSpec {
  if (typeof spec === 'string') return { url: spec };
  return typeof spec === 'object' && spec !== null && !Array.isArray(spec) ? spec : {};
}

/** Sets the method of a method's own workflow or function. */
export function withMethod(spec: unknown, method: Method, name: string): unknown {
  if (typeof spec === 'string') return { url: spec, method };
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) return spec;
  const given = (spec as LooseSpec).method;
  if (given !== undefined && String(given).toUpperCase() !== method) {
    throw invalidRequest(`method: ${name} sends ${method}, got ${JSON.stringify(given)}`);
  }
  return { ...spec, method };
}

export function describe(spec: LooseSpec): { url: string; method: string } {
  return {
    url: typeof spec.url === 'string' ? spec.url : '',
    method: typeof spec.method === 'string' ? spec.method.toUpperCase() : 'GET',
  };
}

/** How Temporal's UI names the activity: no query, no userinfo. */
export function summaryOf(spec: LooseSpec): string {
  const { url, method } = describe(spec);
  return summary(`${method} ${redactUrl(url).replace(/^https?:\/\//, '')}`);
}

/** A text that Temporal's UI shows beside an activity or workflow. */
export function summary(text: string): string {
  return cutText(text, MAX_SUMMARY);
}

/** Survives a reset, differs when a workflow id is used again. */
export function originalRun(): { workflowId: string; runId: string } {
  const { workflowId, originalExecutionRunId } = workflowInfo();
  return { workflowId, runId: originalExecutionRunId };
}
