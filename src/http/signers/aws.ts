import { createHash, createHmac } from 'node:crypto';
import type { Hash, Hmac } from 'node:crypto';
import { RequestError } from '../../shared/errors.ts';
import type { FinalRequest, Preprocessor } from '../preprocessors.ts';

/** What is signed for, and the names of the secrets that sign. */
export interface AwsSignerOptions {
  /** e.g. `'eu-central-1'` */
  region: string;
  /** As it is called in signatures, e.g. `'s3'`, `'execute-api'`, `'bedrock'`. */
  service: string;
  /** Name of the secret that is the access key's id. @default 'AWS_ACCESS_KEY_ID' */
  accessKeyId?: string;
  /** Name of the secret that is the access key. @default 'AWS_SECRET_ACCESS_KEY' */
  secretAccessKey?: string;
  /** Name of the secret that is the session token of temporary credentials. @default none */
  sessionToken?: string;
}

const ADDED = ['authorization', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'];

/** What proxies change, and what AWS does not look at. */
const UNSIGNED = new Set(['accept-encoding', 'x-request-id']);

/**
 * A preprocessor that signs for AWS (Signature Version 4), by way of `@smithy/signature-v4`, an
 * optional peer dependency.
 */
export function awsSigner({
  region,
  service,
  accessKeyId = 'AWS_ACCESS_KEY_ID',
  secretAccessKey = 'AWS_SECRET_ACCESS_KEY',
  sessionToken,
}: AwsSignerOptions): Preprocessor {
  const isS3 = service === 's3';
  return async (request, { secret }) => {
    const SignatureV4 = await signatureV4();
    const credentials = {
      accessKeyId: await secret(accessKeyId),
      secretAccessKey: await secret(secretAccessKey),
      ...(sessionToken !== undefined && { sessionToken: await secret(sessionToken) }),
    };
    const signer = new SignatureV4({
      ...{ credentials, region, service, sha256: Sha256 },
      // S3 wants the hash of the body in a header, and its paths escaped once and not twice.
      ...{ applyChecksum: isS3, uriEscapePath: !isS3 },
    });
    const { headers } = await signer.sign(asAwsRequest(request), { unsignableHeaders: UNSIGNED });
    return { headers: Object.fromEntries(ADDED.map((name) => [name, headers[name]])) };
  };
}

async function signatureV4() {
  try {
    return (await import('@smithy/signature-v4')).SignatureV4;
  } catch (cause) {
    const message = 'awsSigner needs the package @smithy/signature-v4';
    throw new RequestError('PreprocessorError', message, { cause });
  }
}

function asAwsRequest({ method, url, headers, body }: FinalRequest) {
  const { protocol, hostname, host, pathname, searchParams } = new URL(url);
  const query: Record<string, string[]> = {};
  for (const [name, value] of searchParams) (query[name] ??= []).push(value);
  const single = Object.entries(headers).map(([name, value]) => [name, String(value)]);
  return {
    ...{ method, protocol, hostname, path: pathname, query, body },
    headers: { ...Object.fromEntries(single), host } as Record<string, string>,
  };
}

/** Node's, in the form that the library takes. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('A hash is used once');
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): string | Uint8Array {
  if (typeof data === 'string' || data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data))
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(data);
}
