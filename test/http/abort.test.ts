import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { openHandles } from '../support/open-handles.ts';
import { RawServer, Sender, startBlackHole } from './support.ts';

test('before it starts', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const reason = new Error('cancelled');
  const signal = AbortSignal.abort(reason);
  await expect(sender.send({ url: target.url('/echo') }, { signal })).rejects.toBe(reason);
  expect(target.connections).toBe(0);
});

/** ms, on a busy machine: what no abort ends takes ten seconds here, or for ever. */
const SOON = 9_000;

test('while connecting: that socket is destroyed at once, the one beside it is not', async () => {
  await using silent = await RawServer.start();
  await using sender = new Sender();
  const url = silent.url().replace('http', 'https'); // nobody answers the TLS handshake
  const abort = new AbortController();
  const first = sender.send({ url, protocol: 'http1' }, { signal: abort.signal });
  await waitFor(() => silent.received[0]);
  const other = new AbortController();
  const second = sender.send({ url, protocol: 'http1' }, { signal: other.signal });
  await waitFor(() => silent.received[1]);

  const aborted = performance.now();
  abort.abort();
  await expect(first).rejects.toBe(abort.signal.reason);
  await waitFor(() => silent.sockets[0]!.destroyed);
  expect(performance.now() - aborted).toBeLessThan(SOON);
  expect(silent.sockets[1]!.destroyed).toBe(false);
  other.abort();
  await expect(second).rejects.toBe(other.signal.reason);
  await waitFor(() => silent.sockets[1]!.destroyed);
});

test.runIf(process.platform === 'linux')('while the SYN is unanswered', async () => {
  await using hole = await startBlackHole();
  await using sender = new Sender();
  const abort = new AbortController();
  const send = sender.send({ url: hole.url }, { signal: abort.signal });
  await waitFor(() => openHandles().some((handle) => handle.includes('undefined')));
  abort.abort();
  await expect(send).rejects.toBe(abort.signal.reason);
  await waitFor(() => !openHandles().some((handle) => handle.includes('undefined')));
});

test('while waiting for the response', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const abort = new AbortController();
  const send = sender.send({ url: target.url('/hold') }, { signal: abort.signal });
  await target.waitFor(({ inFlight }) => inFlight === 1);
  const aborted = performance.now();
  abort.abort('reason');
  await expect(send).rejects.toBe('reason');
  await target.waitFor(({ open }) => open === 0);
  expect(performance.now() - aborted).toBeLessThan(SOON);
  expect(target.hits[0]).toMatchObject({ aborted: true });
});

test('while reading the body', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const abort = new AbortController();
  let bytes = 0;
  const send = sender.send(
    { url: target.url('/drip?count=1000&interval=5') },
    { signal: abort.signal, onBytes: (count) => (bytes += count) },
  );
  await waitFor(() => bytes > 0);
  abort.abort();
  await expect(send).rejects.toBe(abort.signal.reason);
  await target.waitFor(({ open }) => open === 0);
});

test('while a large body is being sent', async () => {
  await using server = await RawServer.start((socket) => socket.once('data', () => socket.pause()));
  await using sender = new Sender();
  const abort = new AbortController();
  const send = sender.send(
    { url: server.url(), method: 'PUT', body: { kind: 'text', value: 'x'.repeat(20_000_000) } },
    { signal: abort.signal },
  );
  await waitFor(() => server.received[0]);
  abort.abort();
  await expect(send).rejects.toBe(abort.signal.reason);
  server.sockets[0]!.resume();
  await waitFor(() => server.sockets[0]!.destroyed);
  expect(server.received[0]!.length).toBeLessThan(20_000_000);
});

test('on a later hop', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const abort = new AbortController();
  const send = sender.send({ url: target.url('/redirect-to?url=/hold') }, { signal: abort.signal });
  await target.waitFor(() => target.count('/hold') === 1);
  abort.abort();
  await expect(send).rejects.toBe(abort.signal.reason);
  await target.waitFor(({ open }) => open === 0);
});

test('after the end: nothing happens, and the signal holds nothing', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const abort = new AbortController();
  const { signal } = abort;
  for (let i = 0; i < 20; i++) await sender.send({ url: target.url('/echo') }, { signal });
  await sender.fail({ url: target.url('/reset') }, { signal });
  await sender.fail({ url: 'http://127.0.0.1:1/' }, { signal });
  await sender.fail({ url: 'nonsense' }, { signal });
  await sender.fail({ url: target.url('/hold'), timeout: 20 }, { signal });
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  abort.abort();
  expect(await sender.get(target.url('/echo'))).toMatchObject({ status: 200 });
});
