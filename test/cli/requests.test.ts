import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from './process.ts';
import { startTerminal } from './terminal.ts';
import { MAIN, startWorld, type World } from './world.ts';

let world: World;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patient-cli-'));
  world = await startWorld();
  await world.worker();
});

afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface Echo {
  method: string;
  headers: Record<string, string[]>;
  body: string;
  bodyBase64: string;
}

test('get prints the body, and nothing else', async () => {
  const url = world.target.url('/status/200?body=hello');
  expect(await world.patient('get', url)).toMatchObject({ code: 0, stdout: 'hello', stderr: '' });
});

test('headers, bodies, fields of --spec reach the target', async () => {
  const url = world.target.url('/echo');
  const json = ['--data-json', '{"a": [1]}', '-H', 'X-A: b:c', '-H', 'x-b: 1'];
  const spec = ['--spec', '{"headers": {"x-c": "2"}, "params": {"q": 1}}'];
  const post = await world.json<Echo>('post', url, ...json, ...spec, '--idempotency-key', 'k1');
  expect(post).toMatchObject({ method: 'POST', url: '/echo?q=1', body: '{"a":[1]}' });
  expect(post.headers).toMatchObject({
    ...{ 'x-a': ['b:c'], 'x-b': ['1'], 'x-c': ['2'], 'idempotency-key': ['k1'] },
  });

  const file = join(folder, 'body');
  const bytes = randomBytes(64);
  await writeFile(file, bytes);
  const put = await world.json<Echo>('put', url, '-d', `@${file}`);
  expect(put.bodyBase64).toBe(bytes.toString('base64'));

  const form = ['--form', 'a=1', '--form', 'a=2&3', '--form', 'b='];
  expect((await world.json<Echo>('patch', url, ...form)).body).toBe('a=1&a=2%263&b=');

  const piped = await run([MAIN, 'delete', url, '-d', '@-'], world.env, 'from stdin');
  expect(JSON.parse(piped.stdout)).toMatchObject({ method: 'DELETE', body: 'from stdin' });
});

test('binary bodies come as bytes, to a pipe and a file; a terminal is spared', async () => {
  const bytes = Buffer.from([0, 255, 27, 91, 50, 74, 10, 195]);
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(bytes);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  try {
    const file = join(folder, 'out');
    expect((await world.patient('get', url, '-o', file)).stdout).toBe('');
    expect(await readFile(file)).toEqual(bytes);

    await using shell = startTerminal(
      ['sh', '-c', `${process.execPath} ${MAIN} get ${url} | od -An -tx1`],
      world.env,
    );
    expect((await shell.end()).stdout).toContain('00 ff 1b 5b 32 4a 0a c3');

    await using terminal = world.terminal('get', url);
    const { stdout } = await terminal.end();
    expect(stdout).toMatch(/the body is 8 bytes that are no text.*--workflow-id patient-/s);
    expect(stdout).not.toContain('\x1b[2J');
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test('-i shows the head; --fail makes a status an exit code, and keeps the body', async () => {
  const url = world.target.url('/status/404?body=nobody');
  const failed = await world.patient('get', url, '-i', '-f');
  expect(failed).toMatchObject({ code: 5, stderr: '' });
  expect(failed.stdout).toMatch(/^HTTP 404\ncontent-type: text\/plain\n(.+\n)+\nnobody$/);
  expect((await world.patient('get', url)).code).toBe(0);
  expect((await world.patient('head', url)).stdout).toMatch(/^HTTP 404\ncontent-type: /);
});

test('errors: one line, the exit code, and { error } with --json', async () => {
  const refused = ['get', 'http://127.0.0.1:1/', '--spec', '{"retry": {"maximumAttempts": 1}}'];
  const { code, stdout, stderr } = await world.patient(...refused, '--json');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^patient: ConnectionError: GET http:\/\/127\.0\.0\.1:1\/: .+\n$/);
  expect(JSON.parse(stdout)).toMatchObject({
    error: { type: 'ConnectionError', phase: 'connect' },
  });

  // Sent, and nobody knows whether it was processed; with a key it can be sent again.
  const reset = await world.patient('post', world.target.url('/reset'), '-d', 'x');
  expect(reset).toMatchObject({ code: 4, stdout: '' });
  expect(reset.stderr).toMatch(/^patient: ConnectionError: .+\n$/);
});

test('the same --workflow-id is one request; --detach does not wait', async () => {
  const id = `same-${randomUUID()}`;
  const url = world.target.url(`/status/200?body=${id}`);
  const detached = await world.patient('get', url, '--workflow-id', id, '--detach');
  expect(detached).toMatchObject({ code: 0, stdout: `${id}\n` });
  const waited = await world.json('get', url, '--workflow-id', id, '--json');
  expect(waited).toMatchObject({ status: 200, body: id, requestId: id });
  expect(world.target.hits.filter(({ path }) => path.includes(id))).toHaveLength(1);
});

test('Ctrl-C leaves the request, and says how to come back', async () => {
  const id = `left-${randomUUID()}`;
  await using terminal = world.terminal('get', world.target.url('/hold'), '--workflow-id', id);
  await world.target.waitFor(() => world.target.held === 1, 60_000);
  terminal.type('\x03');
  const { code, stdout } = await terminal.end();
  expect(code).toBe(130);
  expect(stdout).toContain(`the request goes on as workflow ${id}`);
  world.target.release();
  const again = await world.json('get', world.target.url('/hold'), '--workflow-id', id, '--json');
  expect(again).toMatchObject({ status: 200, attempt: 1 });
});

test('--cancel-on-interrupt: Ctrl-C closes the socket', async () => {
  const args = ['post', world.target.url('/hold'), '-d', 'x', '--cancel-on-interrupt'];
  await using terminal = world.terminal(...args);
  await world.target.waitFor(() => world.target.held === 1, 60_000);
  terminal.type('\x03');
  const { code, stdout } = await terminal.end();
  expect(stdout).toContain('the request was cancelled');
  expect(code).toBe(1);
  await world.target.waitFor(() => world.target.held === 0, 60_000);
});

test('without a worker it says so, instead of hanging silently', async () => {
  const env = { ...world.env, PATIENT_TASK_QUEUE: `nobody-${randomUUID()}` };
  await using terminal = startTerminal([MAIN, 'get', world.target.url('/echo')], env);
  await terminal.prints(/no worker polls nobody-.+start one with `patient worker`/s);
  terminal.type('\x03');
  expect((await terminal.end()).code).toBe(130);
});

test.for<[args: string[], message: RegExp]>([
  [['get'], /missing required argument 'url'/],
  [['get', 'x', '-d', 'y'], /unknown option '-d'/],
  [['get', 'ftp://x'], /^patient: url: expected an http or https URL, got the scheme "ftp:"\n$/],
  [['get', 'http://x', '--timeout', 'soon'], /^patient: timeout: expected .+, got "soon"\n$/],
  [
    ['get', 'http://x', '-H', 'novalue'],
    /^patient: --header: expected "name:value", got no name\n$/,
  ],
  [
    ['get', 'http://x', '--spec', '[1]'],
    /^patient: --spec: expected a JSON object, got an array\n$/,
  ],
  [['get', 'http://x', '--spec', '@/nowhere'], /^patient: --spec: cannot read "\/nowhere": ENOENT/],
  [['get', 'http://x', '--spec', '{"a": 1}'], /^patient: a: unknown field\n$/],
  [
    ['post', 'http://x', '--data-json', '{"key": "sk-1" "sk-2"}'],
    /^patient: --data-json: expected JSON, or @FILE with JSON, got other text, at position 15\n$/,
  ],
  [
    ['get', 'http://x', '--spec', 'sk-1'],
    /^patient: --spec: expected JSON, or @FILE with JSON, got other text\n$/,
  ],
  [
    ['get', 'http://x', '--spec', '{"url": "http://y"}'],
    /^patient: --spec: expected no url beside/,
  ],
  [['post', 'http://x', '-d', 'a', '--form', 'a=b'], /^patient: .*body.*form/],
  [
    ['get', 'http://x', '--workflow-id', 'a b'],
    /^patient: --workflow-id: expected 1 to 255 .+"a b"\n$/,
  ],
])('wrong arguments: patient %s', async ([args, message]) => {
  const { code, stdout, stderr } = await world.patient(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(message);
});

test('no Temporal: said at once', async () => {
  const env = { TEMPORAL_ADDRESS: '127.0.0.1:1' };
  const { code, stderr } = await run([MAIN, 'get', 'http://x'], env);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr:
      'patient: no Temporal at 127.0.0.1:1 (TEMPORAL_ADDRESS): connect ECONNREFUSED 127.0.0.1:1\n',
  });
});
