/* The codec server by itself; test/cli/codec-server.test.ts has the command. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { deflateSync } from 'node:zlib';
import proto from '@temporalio/proto';
import { expect, test } from 'vitest';
import { resolveOptions } from '../../src/config/options.ts';
import { createCodecServer } from '../../src/payload/codec-server.ts';
import { PatientCodec } from '../../src/payload/patient-codec.ts';
import { fromJson, toJson } from '../../src/shared/json-payload.ts';

const { Payload } = proto.temporal.api.common.v1;

async function startServer() {
  const codec = new PatientCodec(resolveOptions());
  const server = createCodecServer({ codec, origins: [] });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    decode: (payloads: unknown[]) =>
      fetch(`http://127.0.0.1:${port}/decode`, {
        method: 'POST',
        body: JSON.stringify({ payloads }),
      }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await once(server.close(), 'close');
    },
  };
}

/** A small payload that is a large one. */
function compressed(bytes: number) {
  const metadata = { encoding: Buffer.from('binary/plain') };
  const message = Payload.encode({ metadata, data: Buffer.alloc(bytes) }).finish();
  const encoding = Buffer.from('binary/zlib').toString('base64');
  return { metadata: { encoding }, data: deflateSync(message).toString('base64') };
}

test('what would be no string is refused, and the next one is answered', async () => {
  await using server = await startServer();
  const large = compressed(160 * 1024 * 1024);
  const refused = await server.decode([large, large, large]);
  expect([refused.status, await refused.text()]).toEqual([
    413,
    'expected payloads of 268435456 bytes at most',
  ]);
  const answered = await server.decode([compressed(5)]);
  expect(await answered.json()).toMatchObject({ payloads: [{ data: 'AAAAAAA=' }] });
});

test('a payload that Temporal has put elsewhere stays one', async () => {
  await using server = await startServer();
  const payload = { metadata: {}, data: 'eA==', externalPayloads: [{ sizeBytes: '5000000000' }] };
  expect(await (await server.decode([payload])).json()).toEqual({ payloads: [payload] });
  const decoded = fromJson(payload);
  const again = Payload.decode(Payload.encode(decoded).finish());
  expect(toJson(again)).toEqual(payload);
});
