const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** No CR, LF, NUL or other control: a value cannot start a header of its own. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** They frame the message or name its target, so they are the transport's. */
const OWNED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** RFC 9110 §5.1. */
export function isHeaderName(text: string): boolean {
  return TOKEN.test(text);
}

/** RFC 9110 §5.5, with Latin-1 for its obsolete bytes. */
export function isHeaderValue(text: string): boolean {
  return VALUE.test(text);
}

export function isTransportHeader(name: string): boolean {
  return OWNED.has(name.toLowerCase());
}
