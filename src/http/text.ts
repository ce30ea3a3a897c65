import { TextDecoder } from 'node:util';
import { parseMIMEType } from 'undici';

const TEXT_TYPE =
  /^(?:text\/.+|application\/(?:json|xml|(?:x-)?javascript|ecmascript|x-www-form-urlencoded|(?:x-)?ndjson|jsonl|(?:x-)?yaml)|.+\+(?:json|xml|yaml))$/;

const UTF8 = new TextDecoder('utf-8', { fatal: true });

export interface DecodedBody {
  body: string;
  bodyEncoding: 'utf8' | 'base64';
}

/**
 * Text if the content type says so (or there is none) and the bytes are valid in its charset;
 * else base64, which loses nothing. A byte order mark is no part of the text, as in `fetch`.
 */
export function decodeText(bytes: Buffer, contentType: string | undefined): DecodedBody {
  const type = parseMIMEType(contentType ?? '');
  if (type === 'failure') return decode(bytes, UTF8);
  if (!TEXT_TYPE.test(type.essence)) return base64(bytes);
  const charset = type.parameters.get('charset');
  return decode(bytes, charset === undefined ? UTF8 : decoderOf(charset));
}

function decode(bytes: Buffer, decoder: TextDecoder | undefined): DecodedBody {
  try {
    if (decoder) return { body: decoder.decode(bytes), bodyEncoding: 'utf8' };
  } catch {
    // Not what it claims to be.
  }
  return base64(bytes);
}

function base64(bytes: Buffer): DecodedBody {
  return { body: bytes.toString('base64'), bodyEncoding: 'base64' };
}

function decoderOf(charset: string): TextDecoder | undefined {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch {
    return undefined;
  }
}
