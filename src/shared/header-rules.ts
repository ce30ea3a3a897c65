/** RFC 9110 §5.1. */
export const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/**
 * RFC 9110 §5.5, with Latin-1 for its obsolete bytes. No CR, LF, NUL or other control: a value cannot
 * start a header of its own.
 */
export const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** They frame the message or name its target, so they are the transport's. */
export const TRANSPORT_HEADERS: ReadonlySet<string> = new Set([
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

export function isHeaderName(text: string): boolean {
  return HEADER_NAME.test(text);
}

export function isHeaderValue(text: string): boolean {
  return HEADER_VALUE.test(text);
}

export function isTransportHeader(name: string): boolean {
  return TRANSPORT_HEADERS.has(name.toLowerCase());
}
