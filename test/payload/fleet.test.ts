/* Processes of one fleet whose payload options differ, or change. */
import type { Payload, PayloadCodec } from '@temporalio/common';
import { Client } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { PatientClient, PatientPlugin, type PatientOptions } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { startSecondWorker } from '../temporal/support/second-worker.ts';
import { rejection } from '../temporal/support/outcomes.ts';
import { A, B, rawHistory, temporaryFolder, unique } from './support.ts';

const address = inject('temporalAddress');
const BODY = JSON.stringify({ word: 'rosebud '.repeat(100) });

let env: Environment;
let connection: NativeConnection;

beforeAll(async () => {
  env = await startEnvironment({ encryptionKeys: [`a:${A}`] });
  connection = await NativeConnection.connect({ address });
});
afterAll(async () => {
  await connection?.close();
  await env?.[Symbol.asyncDispose]();
});

/** A client as a user makes one, with the plugin. */
function clientWith(options: PatientOptions, payloadCodecs: PayloadCodec[] = []): Client {
  const plugins = [new PatientPlugin(options)];
  return new Client({ connection, plugins, dataConverter: { payloadCodecs } });
}

const patientOf = (client: Client, { taskQueue } = env) => new PatientClient({ client, taskQueue });

test('a client with the plugin and the same options', async () => {
  const patient = patientOf(clientWith({ encryptionKeys: [`a:${A}`] }));
  const response = await patient.post(env.target.url('/echo'), { body: BODY });
  expect(response.json()).toMatchObject({ body: BODY });
});

test('while options are rolled out, each process reads what the others write', async () => {
  await using folder = await temporaryFolder();
  const store = { payloadStore: folder.url, payloadThreshold: 100 };
  await using _second = await startSecondWorker(env, { ...store, encryptionKeys: [`a:${A}`] });
  // All have the keys and the store before any writes with them: the order that the README gives.
  const fleet = { encryptionKeys: [`a:${A}`, `b:${B}`], payloadStore: folder.url };
  await using third = await startEnvironment({ ...fleet, compress: true, payloadThreshold: 50 });
  for (const options of [
    { ...fleet, ...store },
    { ...fleet, compress: true },
  ]) {
    const patient = patientOf(clientWith(options), third);
    const calls = Array.from({ length: 10 }, () =>
      patient.post(third.target.url('/echo'), { body: BODY }),
    );
    for (const response of await Promise.all(calls)) {
      expect(response.json()).toMatchObject({ body: BODY });
    }
  }
});

test('after a rotation old histories are read and replayed, until the old key is gone', async () => {
  const requestId = unique('rotation');
  const handle = await env.patient.submit.post(env.target.url('/echo'), { body: BODY, requestId });
  await handle.result();
  const history = await env.client.workflow.getHandle(requestId).fetchHistory();

  const rotated = { encryptionKeys: [`b:${B}`, `a:${A}`] };
  const response = await patientOf(clientWith(rotated)).handle(requestId).result();
  expect(response?.json()).toMatchObject({ body: BODY });
  const { workflowBundle } = env;
  const replay = (options: PatientOptions): Promise<void> =>
    Worker.runReplayHistory(
      { workflowBundle, plugins: [new PatientPlugin(options)] },
      history,
      requestId,
    );
  await replay(rotated);

  const without = { encryptionKeys: [`b:${B}`] };
  const refused = await rejection(patientOf(clientWith(without)).handle(requestId).result());
  expect(refused.message).toBe(
    'encryptionKeys: a payload is encrypted with key "a"; this process has "b"; add "a" behind the first',
  );
  expect((await rejection(replay(without))).message).toContain('a payload is encrypted with key');
});

test.each([
  [{}, 'this process has none'],
  [{ encryptionKeys: [`a:${B}`] }, 'does not open with key "a"'],
])('a client with %o fails closed', async (options, message) => {
  const requestId = unique('closed');
  const handle = await env.patient.submit.get(env.target.url('/status/200'), { requestId });
  await handle.result();
  const error = await rejection(patientOf(clientWith(options)).handle(requestId).result());
  expect(error.message).toContain(message);
});

/** A user's own, as Temporal's encryption sample would be. */
class Own implements PayloadCodec {
  async encode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => ({ ...payload, data: flip(payload.data!) }));
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads.map((payload) => ({ ...payload, data: flip(payload.data!) }));
  }
}

const flip = (data: Uint8Array): Uint8Array => data.map((byte) => byte ^ 0xff);

test("a user's own codec works inside of ours, on worker, client and in the plugin", async () => {
  await using folder = await temporaryFolder();
  const options = { encryptionKeys: [`a:${A}`], payloadStore: folder.url, compress: true };
  const dataConverter = { payloadCodecs: [new Own()] };
  const taskQueue = unique('own');
  const plugin = new PatientPlugin({
    ...{ ...options, taskQueue, workflowBundle: env.workflowBundle, allowPrivateAddresses: true },
    ...{ shutdownTimeout: 0, drainTimeout: 0 },
  });
  const worker = await Worker.create({
    ...{ connection, dataConverter, taskQueue: unique('own'), plugins: [plugin] },
    activities: { nothing: async () => undefined },
  });
  const client = clientWith(options, [new Own()]);
  const patient = new PatientClient({ client, taskQueue });
  await worker.runUntil(async () => {
    const requestId = unique('own');
    const spec = { body: BODY, requestId, headers: { word: 'rosebud' } };
    const response = await patient.post(env.target.url('/echo'), spec);
    expect(response.json()).toMatchObject({ body: BODY });
    const raw = await rawHistory(client, requestId);
    expect(raw.includes('rosebud')).toBe(false);
    expect(raw.includes('binary/encrypted')).toBe(true);
  });
});

test('a process that only has a codec of its own keeps it to itself', async () => {
  const [first, second] = [clientWith({}, [new Own()]), clientWith({}, [])];
  expect(first.options.loadedDataConverter.payloadCodecs).toHaveLength(1);
  expect(second.options.loadedDataConverter.payloadCodecs).toHaveLength(1);
});
