import { z } from 'zod';
import { redactUrl } from '../shared/url.ts';

const EXPECTED = 'expected an http:// or https:// URL of a proxy';

/** An origin with credentials, if the proxy wants some; no message shows them. */
export function proxyUrl() {
  return z.string({ error: EXPECTED }).transform((text, ctx) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isProxy =
      url && /^https?:$/.test(url.protocol) && url.pathname === '/' && !url.search && !url.hash;
    if (isProxy && isDecodable(url.username) && isDecodable(url.password)) return url.href;
    ctx.addIssue({ code: 'custom', message: `${EXPECTED}, got another string` });
    return z.NEVER;
  });
}

/** As it ends in a workflow's history: without credentials. */
export function specProxyUrl() {
  return proxyUrl().superRefine((text, ctx) => {
    const { username, password } = new URL(text);
    if (!username && !password) return;
    const message = `expected no credentials, got some in ${redactUrl(text)}`;
    ctx.addIssue({ code: 'custom', message });
  });
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
