import { randomBytes } from 'node:crypto';
import type { MultipartPart } from '../shared/wire.ts';

export interface MultipartBody {
  kind: 'multipart';
  parts: readonly MultipartPart[];
  boundary: string;
}

/** Of one length, so that a body's size is the same at every try. */
export function multipartBoundary(): string {
  return `patient-http-${randomBytes(18).toString('base64url')}`;
}

/** multipart/form-data (RFC 7578), with names as HTML's forms write them. */
export function encodeMultipart({ parts, boundary }: MultipartBody): Buffer {
  const chunks = parts.flatMap((part) => [
    Buffer.from(`--${boundary}\r\n${headOf(part)}\r\n`),
    contentOf(part),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]);
}

function headOf(part: MultipartPart): string {
  const { name, filename, contentType = defaultType(part) } = part;
  const file = filename === undefined ? '' : `; filename="${escapeName(filename)}"`;
  const type = contentType === undefined ? '' : `Content-Type: ${contentType}\r\n`;
  return `Content-Disposition: form-data; name="${escapeName(name)}"${file}\r\n${type}`;
}

function defaultType({ json, valueBase64, filename }: MultipartPart): string | undefined {
  if (json !== undefined) return 'application/json';
  const isBinary = valueBase64 !== undefined || filename !== undefined;
  return isBinary ? 'application/octet-stream' : undefined;
}

function contentOf({ value, valueBase64, json }: MultipartPart): Buffer {
  if (value !== undefined) return Buffer.from(value);
  if (valueBase64 !== undefined) return Buffer.from(valueBase64, 'base64');
  return Buffer.from(JSON.stringify(json) ?? 'null');
}

/** Control characters are refused with the spec. */
function escapeName(text: string): string {
  return text.replaceAll('"', '%22');
}
