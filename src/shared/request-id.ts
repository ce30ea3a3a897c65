/** Whether a value given as `requestId` can be one: 1 to 255 visible ASCII characters. */
export function isRequestId(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{1,255}$/.test(value);
}

/**
 * The request id as a header value. Default ids hold workflow ids, which can be any text: what is
 * not visible ASCII is percent-encoded; an id that is already safe stays as it is.
 */
export function headerSafe(requestId: string): string {
  return requestId
    .replace(/\p{Surrogate}/gu, '\ufffd') // a lone half, which encodeURIComponent would throw on
    .replace(/[^\x21-\x7e]+/g, encodeURIComponent);
}
