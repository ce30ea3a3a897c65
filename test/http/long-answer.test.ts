import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { request as undiciRequest, Agent } from 'undici';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Sender } from './support.ts';

/**
 * A server whose clock is real, in a thread of its own: it answers, or goes on with its body, when
 * told to. Here the clock is a fake, so that five minutes pass at once.
 */
const SERVER = `
  const { parentPort } = require('node:worker_threads');
  const waiting = [];
  const server = require('node:http').createServer((request, response) => {
    if (request.url === '/body') response.write('half ');
    waiting.push(response);
    parentPort.postMessage('arrived');
  });
  server.requestTimeout = server.headersTimeout = 0;
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
  parentPort.on('message', () => waiting.pop().end('done'));
`;

let server: Worker;
let origin: string;

// One fake clock for the file: undici keeps the timer that drives its own.
beforeAll(async () => {
  server = new Worker(SERVER, { eval: true });
  const [port] = (await once(server, 'message')) as [number];
  origin = `http://127.0.0.1:${port}`;
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
  });
});

afterAll(async () => {
  vi.useRealTimers();
  await server.terminate();
});

const MINUTE = 60_000;

/** Longer than the five minutes after which undici gives up by default. */
async function waitLong(): Promise<void> {
  await vi.advanceTimersByTimeAsync(301_000);
}

test.each([
  ['/headers', 'done'],
  ['/body', 'half done'],
])('an answer after 301 s arrives: %s', async (path, body) => {
  await using sender = new Sender();
  const arrived = once(server, 'message');
  let bytes = 0;
  const response = sender.send(
    { url: origin + path, timeout: 10 * MINUTE, connectTimeout: 10_000 },
    { onBytes: (count) => (bytes += count) },
  );
  await arrived;
  if (path === '/body') await vi.waitFor(() => expect(bytes).toBe(5), 45_000);

  expect(vi.getTimerCount()).toBe(1); // our own `timeout`; none of undici's is armed
  await waitLong();
  expect(vi.getTimerCount()).toBe(1);
  server.postMessage('go on');
  expect(await response).toMatchObject({ status: 200, body });
});

test('the clock does what it says: our own timeout ends it', async () => {
  await using sender = new Sender();
  const arrived = once(server, 'message');
  const failed = sender.fail({ url: `${origin}/headers`, timeout: 5 * MINUTE });
  await arrived;
  await waitLong();
  expect(await failed).toMatchObject({ type: 'TimeoutError', phase: 'sent' });
});

test('the same with undici as it comes fails: before the response', async () => {
  const dispatcher = new Agent();
  const arrived = once(server, 'message');
  const failed = undiciRequest(`${origin}/headers`, { dispatcher }).catch(
    (error: unknown) => error,
  );
  await arrived;
  await waitLong();
  expect(await failed).toMatchObject({ name: 'HeadersTimeoutError' });
  await dispatcher.destroy();
});

test('the same with undici as it comes fails: within the body', async () => {
  const dispatcher = new Agent();
  const { body } = await undiciRequest(`${origin}/body`, { dispatcher });
  const pieces = body[Symbol.asyncIterator]();
  expect(String((await pieces.next()).value)).toBe('half ');
  const failed = pieces.next().catch((error: unknown) => error);
  await waitLong();
  expect(await failed).toMatchObject({ name: 'BodyTimeoutError' });
  await dispatcher.destroy();
});
