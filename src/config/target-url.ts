import { z } from 'zod';
import { quoteUrl, redactUrl } from '../shared/url.ts';

const MAX_URL = 64 * 1024;

// What JSON Schema can say of a URL, of all the spellings that the URL standard takes: in no more
// than linear time, for users' validators run it too.
const HOST = '(\\[[0-9A-Fa-f:.]+\\]|[^\\x00-\\x20\\x7f/\\\\?#<>^|:\\[\\]]+)';
const REST = '(:[0-9]*)?([/\\\\?#][^\\x00-\\x1f\\x7f]*| *)';
const SHAPE = `^ *[Hh][Tt][Tt][Pp][Ss]?:[/\\\\]*${HOST}${REST}$`;
const CREDENTIALS = '^[^/\\\\?#:]*:[/\\\\]*[:@]*[^/\\\\?#:@][^/\\\\?#]*@';

/** An http(s) URL in its normal form, without fragment. No message shows its query or userinfo. */
export const urlSchema = z
  .string({ error: 'expected an http or https URL' })
  .transform((text, ctx) => {
    const refuse = (message: string): never => {
      ctx.addIssue({ code: 'custom', message });
      return z.NEVER;
    };
    if (text.length > MAX_URL) {
      return refuse(`expected at most ${MAX_URL} characters, got ${text.length}`);
    }
    // The parser would drop tabs and line breaks without a word.
    if (/[\x00-\x1f\x7f]/.test(text)) {
      return refuse('expected no control character or line break');
    }
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url) return refuse(`expected an http or https URL, got ${quoteUrl(text)}`);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      return refuse(
        `expected an http or https URL, got the scheme ${JSON.stringify(url.protocol.slice(0, 50))}`,
      );
    }
    if (url.username || url.password) {
      return refuse(
        `expected no credentials, got some in ${redactUrl(text).slice(0, 200)} ` +
          '(send them as headers.authorization: { $secret, username })',
      );
    }
    if (url.port === '0') return refuse('expected a port other than 0');
    if (/\.\.|^\./.test(url.hostname)) return refuse('expected a host without empty labels');
    url.hash = '';
    return url.href;
  })
  .meta({ maxLength: MAX_URL, pattern: SHAPE, not: { pattern: CREDENTIALS } });
