import type { WireResponse } from './wire.ts';

/** The body of a response that is too large to be a string, which takes several copies to write. */
export interface LargeBody {
  /** Bytes that its text takes between quotes of JSON. */
  readonly jsonLength: number;
  /** Those bytes, as often as wanted; each piece until the next one is asked for. */
  jsonPieces(): Iterable<Uint8Array>;
  /** The same for the last time: each piece is let go of, and only the start is left. */
  lastPieces(): Iterable<Uint8Array>;
  /** All of it, as a response has it. */
  text(): string;
  /** The same for as many characters. */
  start(length: number): string;
  toJSON(): string;
}

/** A response in the process that received it. */
export type HeldResponse = Omit<WireResponse, 'body'> & { body: WireResponse['body'] | LargeBody };

/** JSON of which one string is a large body's. */
export interface LargeJson {
  before: string;
  body: LargeBody;
  after: string;
  /** Nothing else is made of the body: it may be let go of meanwhile. */
  isLast: boolean;
}

export function isLarge(body: HeldResponse['body']): body is LargeBody {
  return typeof body === 'object' && body !== null;
}

/** As JSON has it; a large body is made a string by whoever looks at it. */
export function wireResponse(response: HeldResponse): WireResponse {
  // The same one: nearly all are small.
  if (!isLarge(response.body)) return response as WireResponse;
  const { body, ...rest } = response;
  return {
    ...rest,
    get body() {
      return body.text();
    },
  };
}

/** What a response says without its body. */
export function withoutBody(response: HeldResponse): WireResponse {
  return { ...response, body: null };
}

/** About the bytes that its body takes. */
export function bodyLength({ body }: HeldResponse): number {
  return isLarge(body) ? body.jsonLength : (body?.length ?? 0);
}
