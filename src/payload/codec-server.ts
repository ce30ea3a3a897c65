import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { PayloadError } from '../shared/errors.ts';
import { fromJson, toJson, type JsonPayload } from '../shared/json-payload.ts';
import { Turns } from '../shared/turns.ts';

/** Bytes of a request's JSON, in which a payload's data is base64. */
const MAX_BODY = 256 * 1024 * 1024;
/** Bytes of an answer's payloads: as JSON they have to be one string, and V8 has none of 512 MiB. */
const MAX_ANSWER = 256 * 1024 * 1024;
/** Payloads that are coded together: what is compressed well may be large. */
const AT_ONCE = 4;

export interface CodecServerOptions {
  codec: PayloadCodec;
  /** Origins of pages, such as Temporal's UI, that may ask. */
  origins: readonly string[];
  /** Wanted as `Authorization: Bearer <token>`. */
  token?: string | undefined;
}

class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Temporal's remote codec protocol: `POST …/encode` and `POST …/decode`, payloads in and out. */
export function createCodecServer(options: CodecServerOptions): Server {
  return createServer((request, response) => {
    answer(options, request, response).catch((error: unknown) => {
      if (response.headersSent) return void response.destroy();
      const { status, message } = refusalOf(error);
      response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(message);
    });
  });
}

async function answer(
  options: CodecServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  admitOrigin(options.origins, request, response);
  if (request.method === 'OPTIONS') return void response.writeHead(204).end();
  if (request.method !== 'POST') throw new Refusal(405, 'POST …/encode or …/decode');
  authorize(options.token, request);
  const work = /\/(encode|decode)$/.exec(new URL(request.url ?? '/', 'http://codec').pathname)?.[1];
  if (work !== 'encode' && work !== 'decode') throw new Refusal(404, 'no such path');
  const payloads = await code(options.codec, work, await readPayloads(request));
  const text = JSON.stringify({ payloads: payloads.map(toJson) });
  response.writeHead(200, { 'content-type': 'application/json' }).end(text);
}

async function code(
  codec: PayloadCodec,
  work: 'encode' | 'decode',
  payloads: Payload[],
): Promise<Payload[]> {
  const turns = new Turns(AT_ONCE);
  let size = 0;
  const check = (): void => {
    if (size > MAX_ANSWER)
      throw new Refusal(413, `expected payloads of ${MAX_ANSWER} bytes at most`);
  };
  return Promise.all(
    payloads.map((payload) =>
      turns.take(async () => {
        check();
        const [coded] = await codec[work]([payload]);
        size += sizeOf(coded!);
        check();
        return coded!;
      }),
    ),
  );
}

function sizeOf({ metadata, data }: Payload): number {
  const values = [...Object.values(metadata ?? {}), data];
  return values.reduce((sum, value) => sum + (value?.length ?? 0), 0);
}

/**
 * A page of another origin is refused altogether, not only kept from reading the answer: behind a
 * rebound DNS name it would be of the same origin to its browser.
 */
function admitOrigin(
  origins: readonly string[],
  { headers: { origin } }: IncomingMessage,
  response: ServerResponse,
): void {
  response.setHeader('vary', 'origin');
  if (origin === undefined) return;
  if (!origins.includes(origin)) throw new Refusal(403, `origin ${origin} may not ask`);
  response.setHeader('access-control-allow-origin', origin);
  // Temporal's UI can be told to send its cookies along, for a proxy before this.
  response.setHeader('access-control-allow-credentials', 'true');
  response.setHeader('access-control-allow-methods', 'POST');
  response.setHeader('access-control-allow-headers', 'authorization, content-type, x-namespace');
  response.setHeader('access-control-max-age', '600');
}

function authorize(token: string | undefined, { headers }: IncomingMessage): void {
  if (token === undefined) return;
  // Digests have one length, which the comparison wants.
  const [given, wanted] = [headers.authorization ?? '', `Bearer ${token}`].map((text) =>
    createHash('sha256').update(text).digest(),
  );
  if (!timingSafeEqual(given!, wanted!)) {
    throw new Refusal(401, 'expected Authorization: Bearer with the token of this codec server');
  }
}

async function readPayloads(request: IncomingMessage): Promise<Payload[]> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Refusal(413, `expected at most ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  try {
    const { payloads = [] } = JSON.parse(Buffer.concat(chunks).toString()) as {
      payloads?: JsonPayload[];
    };
    return payloads.map(fromJson);
  } catch {
    throw new Refusal(400, 'expected { payloads: [{ metadata, data }] } with base64 values');
  }
}

function refusalOf(error: unknown): { status: number; message: string } {
  if (error instanceof Refusal) return error;
  if (error instanceof PayloadError) return { status: 400, message: error.message };
  return { status: 500, message: 'the payloads could not be coded' };
}
