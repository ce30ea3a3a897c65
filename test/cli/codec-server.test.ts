import { request as httpRequest } from 'node:http';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { startTargetServer, type TargetServer } from '../../src/testing/target-server.ts';
import { A, rawHistory, temporaryFolder, unique, type Folder } from '../payload/support.ts';
import { run, start, type Result, type RunningProcess } from './process.ts';

const MAIN = 'dist/src/cli/main.js';
const READY = 'patient-http codec server ready: ';
const UI = 'http://localhost:8233';
const TOKEN = 'let-me-read';
const WORD = 'rosebud';

let folder: Folder;
let target: TargetServer;
let worker: RunningProcess;
let taskQueue: string;
let options: Record<string, string>;

beforeAll(async () => {
  folder = await temporaryFolder();
  target = await startTargetServer();
  taskQueue = unique('codec-server');
  options = {
    PATIENT_COMPRESS: 'true',
    PATIENT_ENCRYPTION_KEYS: `a:${A}`,
    PATIENT_PAYLOAD_STORE: folder.url,
    PATIENT_PAYLOAD_THRESHOLD: '300',
  };
  worker = start([MAIN, 'worker'], {
    ...{ TEMPORAL_ADDRESS: inject('temporalAddress'), PATIENT_TASK_QUEUE: taskQueue },
    ...{ PATIENT_ALLOW_PRIVATE_ADDRESSES: 'true', ...options },
  });
  await worker.prints('patient-http worker ready: ');
});
afterAll(async () => {
  await worker?.[Symbol.asyncDispose]();
  await target?.close();
  await folder?.[Symbol.asyncDispose]();
});

async function startCodecServer(env: Record<string, string> = {}, ...args: string[]) {
  const server = start([MAIN, 'codec-server', '--port', '0', ...args], { ...options, ...env });
  await server.prints(READY);
  const endpoint = server.stdout.trim().slice(READY.length);
  return Object.assign(server, { endpoint });
}

function temporal(...args: string[]): Promise<Result> {
  return run([inject('temporalCli'), ...args, '--address', inject('temporalAddress')]);
}

test("Temporal's CLI starts a request and reads its history through it", async () => {
  await using server = await startCodecServer({ PATIENT_CODEC_SERVER_TOKEN: TOKEN });
  const workflowId = unique('codec-server');
  const through = ['--codec-endpoint', server.endpoint, '--codec-auth', `Bearer ${TOKEN}`];
  const body = WORD.repeat(2_000);
  const input = JSON.stringify({ url: target.url('/echo'), body });
  const request = ['--type', 'patientPost', '--task-queue', taskQueue, '--input', input];
  const workflow = ['--workflow-id', workflowId];

  const done = await temporal('workflow', 'execute', ...workflow, ...request, ...through);
  expect(done.code, done.stderr).toBe(0);
  expect(done.stdout).toContain(WORD);

  const shown = await temporal('workflow', 'show', ...workflow, ...through, '--output', 'json');
  // Input, the activity's input, its result, the workflow's result.
  expect(payloadsOf(shown).filter((data) => data.includes(body))).toHaveLength(4);
  const without = await temporal('workflow', 'show', ...workflow, '--output', 'json');
  expect(payloadsOf(without).join('')).not.toContain(WORD);
  expect(without.stdout).toContain(base64('claim-checked'));

  const connection = await Connection.connect({ address: inject('temporalAddress') });
  const raw = await rawHistory(new Client({ connection }), workflowId);
  await connection.close();
  expect(raw.includes(WORD)).toBe(false);
  expect(raw.includes('claim-checked')).toBe(true);

  const refused = await temporal('workflow', 'show', ...workflow, ...through.slice(0, 2));
  expect(refused.stdout + refused.stderr).not.toContain(WORD);

  server.kill('SIGTERM');
  expect((await server.end()).code).toBe(0);
});

test('and one with a large body, which its workflow handed on', async () => {
  await using server = await startCodecServer();
  const workflowId = unique('codec-server');
  const through = ['--codec-endpoint', server.endpoint];
  const input = JSON.stringify({ url: target.url('/bytes/2000000'), maxResponseSize: 2_000_000 });
  const request = ['--type', 'patientGet', '--task-queue', taskQueue, '--input', input];
  const args = ['--workflow-id', workflowId, ...request, ...through, '--output', 'json'];
  const done = await temporal('workflow', 'execute', ...args);
  expect(done.code, done.stderr).toBe(0);
  expect(JSON.parse(done.stdout).result).toMatchObject({
    ...{ status: 200, bodyEncoding: 'utf8', callbackArgs: null, attempt: 1 },
    body: 'x'.repeat(2_000_000),
  });
});

describe('its answers', () => {
  let server: Awaited<ReturnType<typeof startCodecServer>>;
  beforeAll(async () => {
    server = await startCodecServer({}, '--origin', UI, 'https://temporal.example.com');
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    send(server.endpoint + path, 'POST', JSON.stringify(body), headers);

  test('a page of the UI may ask, with a preflight first', async () => {
    const preflight = await send(`${server.endpoint}/decode`, 'OPTIONS', '', { origin: UI });
    expect(preflight).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': UI,
        'access-control-allow-credentials': 'true',
        'access-control-allow-headers': 'authorization, content-type, x-namespace',
      },
    });
    const payload = { metadata: { encoding: base64('json/plain') }, data: base64('"x"') };
    const encoded = await post('/default/encode', { payloads: [payload] }, { origin: UI });
    expect(encoded.headers['access-control-allow-origin']).toBe(UI);
    const { payloads } = JSON.parse(encoded.body);
    expect(payloads[0].metadata.encoding).toBe(base64('binary/encrypted'));
    expect(JSON.parse((await post('/decode', { payloads })).body)).toEqual({ payloads: [payload] });
  });

  test.each<[number, string, string, unknown, Record<string, string>]>([
    [403, 'a page from elsewhere', '/decode', {}, { origin: 'http://evil.example' }],
    [404, 'another path', '/metrics', {}, {}],
    [400, 'no payloads', '/decode', { payloads: 5 }, {}],
  ])('%i for %s', async (status, _name, path, body, headers) => {
    expect(await post(path, body, headers)).toMatchObject({ status });
  });

  test('what it cannot decode it says, and no more', async () => {
    const metadata = {
      encoding: base64('binary/encrypted'),
      'encryption-key-id': base64('other'),
    };
    expect(await post('/decode', { payloads: [{ metadata, data: base64('x') }] })).toMatchObject({
      status: 400,
      body: 'encryptionKeys: a payload is encrypted with key "other"; this process has "a"; add "other" behind the first',
    });
  });
});

test('a token is asked for where there is one', async () => {
  await using server = await startCodecServer({ PATIENT_CODEC_SERVER_TOKEN: TOKEN });
  const url = `${server.endpoint}/decode`;
  for (const authorization of ['', 'Bearer wrong', TOKEN]) {
    expect(await send(url, 'POST', '{}', { authorization })).toMatchObject({ status: 401 });
  }
  const authorization = `Bearer ${TOKEN}`;
  expect(await send(url, 'POST', '{}', { authorization })).toMatchObject({ status: 200 });
});

test.each<[string[], Record<string, string>, number, string]>([
  [['--host', '0.0.0.0'], {}, 1, '--host 0.0.0.0: set PATIENT_CODEC_SERVER_TOKEN'],
  [['--port', 'x'], {}, 2, '--port: expected 0 to 65535, got "x"'],
  [['--origin', 'localhost:8233'], {}, 2, '--origin: expected an origin such as'],
  [[], { PATIENT_ENCRYPTION_KEYS: 'a:AAAA' }, 1, 'key "a": expected 32 bytes in base64, got 3'],
  [[], { PATIENT_PAYLOAD_STORE: 'file:///dev/null/x' }, 1, 'file:///dev/null/x cannot be used'],
])('%j %j is refused with one line', async (args, env, exitCode, message) => {
  const { code, stderr } = await run([MAIN, 'codec-server', ...args], env);
  expect(code).toBe(exitCode);
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

/** The data of all payloads in the JSON that the CLI prints. */
function payloadsOf({ stdout }: Result): string[] {
  const data = stdout.matchAll(/"data": "([^"]*)"/g);
  return Array.from(data, ([, text = '']) => Buffer.from(text, 'base64').toString());
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Node's fetch sends no Origin of the caller's. */
function send(url: string, method: string, body: string, headers: Record<string, string>) {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>(
    (resolve, reject) => {
      const request = httpRequest(url, { method, headers, agent: false }, async (response) => {
        const chunks = await response.toArray();
        const { statusCode: status = 0 } = response;
        resolve({ status, headers: response.headers, body: Buffer.concat(chunks).toString() });
      });
      request.on('error', reject).end(body);
    },
  );
}
