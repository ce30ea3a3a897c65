import { z } from 'zod';
import { isProxyUrl } from '../shared/proxy-url.ts';
import { redactUrl } from '../shared/url.ts';
import { secretRefSchema } from './secret-ref.ts';

const EXPECTED = 'expected an http:// or https:// URL of a proxy';

/** An origin with credentials, if the proxy wants some; no message shows them. */
export function proxyUrl() {
  return z.string({ error: EXPECTED }).transform((text, ctx) => {
    if (isProxyUrl(text)) return new URL(text).href;
    ctx.addIssue({ code: 'custom', message: `${EXPECTED}, got another string` });
    return z.NEVER;
  });
}

/** As it ends in a workflow's history: without credentials, or all of it a secret. */
export function specProxyUrl() {
  const shown = proxyUrl().superRefine((text, ctx) => {
    const { username, password } = new URL(text);
    if (!username && !password) return;
    const message = `expected no credentials, got some in ${redactUrl(text)} (make it a { $secret })`;
    ctx.addIssue({ code: 'custom', message });
  });
  const schema = shown.meta({
    pattern: '^ *[Hh][Tt][Tt][Pp][Ss]?:[/\\\\]*[^/\\\\?#@]+[/\\\\]?$',
  });
  return z.union([schema, secretRefSchema], { error: `${EXPECTED} or { $secret }` });
}
