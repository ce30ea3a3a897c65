import { createHash } from 'node:crypto';
import type { Child } from 'hono/jsx';
import { keyString, type RequestKey } from '../../shared/request-key.ts';
import type { MessageId } from '../languages.ts';
import type { Questions } from '../questions.ts';
import type { Translator } from '../translator.ts';

/** What a page is drawn from. */
export interface View {
  t: Translator;
  ask: Questions;
  /** Of the page; its query is what the page's filter and order are. */
  url: URL;
  /** Whether who looks may also change. */
  canChange: boolean;
  /** Of Temporal's UI; undefined when it is not known. */
  temporalUi: string | undefined;
  namespace: string;
  taskQueue: string;
}

/** A part of a page, by the `id` of its element. */
export interface Region {
  id: string;
  content: Child;
  /** Drawn once and then left alone, so that what is being typed into it stays. */
  still?: boolean;
}

export interface Page {
  path: string;
  title: MessageId;
  regions(view: View): Promise<Region[]>;
}

/** Of an element that stands for the request: short, and the same in every update. */
export function elementId(key: RequestKey): string {
  return `r${createHash('sha1').update(keyString(key)).digest('base64url').slice(0, 10)}`;
}

/** Same page, other query; `undefined` takes a parameter away. */
export function withQuery({ url }: View, changes: Record<string, string | undefined>): string {
  const query = new URLSearchParams(url.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  // Two slashes would lead to another host.
  return url.pathname.replace(/^\/+/, '/') + (text && `?${text}`);
}

export function workflowUrl(view: View, workflowId: string, runId?: string): string | undefined {
  if (view.temporalUi === undefined) return undefined;
  const parts = [view.namespace, workflowId, ...(runId === undefined ? [] : [runId])];
  const [namespace, ...workflow] = parts.map(encodeURIComponent);
  return `${view.temporalUi}/namespaces/${namespace}/workflows/${workflow.join('/')}`;
}
