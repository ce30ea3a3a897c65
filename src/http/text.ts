import { TextDecoder } from 'node:util';
import { parseMIMEType } from 'undici';
import { areUtf8, HeldBody, sizeOf, withoutMark } from './large-body.ts';
import { LARGE } from './received-body.ts';

const TEXT_TYPE =
  /^(?:text\/.+|application\/(?:json|xml|(?:x-)?javascript|ecmascript|x-www-form-urlencoded|(?:x-)?ndjson|jsonl|(?:x-)?yaml)|.+\+(?:json|xml|yaml))$/;

const UTF8 = new TextDecoder('utf-8', { fatal: true });

export interface DecodedBody {
  body: string | HeldBody;
  bodyEncoding: 'utf8' | 'base64';
}

/**
 * Text if the content type says so (or there is none) and the bytes are valid in its charset;
 * else base64, which loses nothing. A byte order mark is no part of the text, as in `fetch`.
 */
export function decodeText(
  chunks: readonly Buffer[],
  contentType: string | undefined,
): DecodedBody {
  const decoder = decoderFor(contentType);
  const text = decoder && decode(chunks, decoder);
  if (text !== undefined) return { body: text, bodyEncoding: 'utf8' };
  const body =
    sizeOf(chunks) > LARGE ? new HeldBody(chunks, false) : Buffer.concat(chunks).toString('base64');
  return { body, bodyEncoding: 'base64' };
}

/** Of the last content type: a target's responses are mostly of one. */
let last: { contentType: string; decoder: TextDecoder | undefined } | undefined;

function decoderFor(contentType = ''): TextDecoder | undefined {
  if (last?.contentType !== contentType) last = { contentType, decoder: newDecoder(contentType) };
  return last.decoder;
}

function newDecoder(contentType: string): TextDecoder | undefined {
  const type = parseMIMEType(contentType);
  if (type === 'failure') return UTF8;
  if (!TEXT_TYPE.test(type.essence)) return undefined;
  const charset = type.parameters.get('charset');
  try {
    return charset === undefined ? UTF8 : new TextDecoder(charset, { fatal: true });
  } catch {
    return undefined;
  }
}

/** Undefined for what is not what it claims to be. */
function decode(chunks: readonly Buffer[], decoder: TextDecoder): string | HeldBody | undefined {
  try {
    if (sizeOf(chunks) <= LARGE) return decoder.decode(Buffer.concat(chunks));
    if (decoder.encoding !== 'utf-8')
      return new HeldBody(transcode(chunks, decoder.encoding), true);
    return areUtf8(chunks) ? new HeldBody(withoutMark(chunks), true) : undefined;
  } catch {
    return undefined;
  }
}

function transcode(chunks: readonly Buffer[], encoding: string): Buffer[] {
  // One of its own: a body that breaks off leaves a decoder amid a character.
  const decoder = new TextDecoder(encoding, { fatal: true });
  const pieces = chunks.map((chunk) => Buffer.from(decoder.decode(chunk, { stream: true })));
  return [...pieces, Buffer.from(decoder.decode())];
}
