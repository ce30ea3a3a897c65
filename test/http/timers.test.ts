import { expect, test } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { POST, RawServer, Sender, startBlackHole } from './support.ts';

const timeout = (phase: string, option: string): object => ({
  type: 'TimeoutError',
  phase,
  transient: true,
  message: expect.stringContaining(`(${option})`),
});

test('connect timeout: TLS handshake', async () => {
  await using silent = await RawServer.start();
  await using sender = new Sender();
  const url = silent.url('/x?secret=1').replace('http', 'https');
  const error = await sender.fail({ url, ...POST, connectTimeout: 60 });
  expect(error).toMatchObject(timeout('connect', 'connectTimeout'));
  expect(error.message).toBe(
    `POST https://127.0.0.1:${silent.port}/x: not connected after 60 ms (connectTimeout)`,
  );
  await waitFor(() => silent.sockets[0]?.destroyed);
});

test.runIf(process.platform === 'linux')('connect timeout: TCP', async () => {
  await using hole = await startBlackHole();
  await using sender = new Sender();
  const error = await sender.fail({ url: hole.url, connectTimeout: 60 });
  expect(error).toMatchObject(timeout('connect', 'connectTimeout'));
});

test('overall timeout while connecting', async () => {
  await using silent = await RawServer.start();
  await using sender = new Sender();
  const url = silent.url().replace('http', 'https');
  expect(await sender.fail({ url, timeout: 60 })).toMatchObject(timeout('connect', 'timeout'));
});

test('first byte timeout: from the request to the response', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const error = await sender.fail({ url: target.url('/hold'), firstByteTimeout: 60 });
  expect(error).toMatchObject(timeout('sent', 'firstByteTimeout'));
  await target.waitFor(({ open }) => open === 0);
  // It does not count the body.
  const url = target.url('/drip?count=4&interval=300');
  expect(await sender.get(url, { firstByteTimeout: 1_000 })).toMatchObject({ status: 200 });
});

test('an informational response is no first byte', async () => {
  await using server = await RawServer.start((socket) => {
    socket.once('data', () => socket.write('HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n'));
  });
  await using sender = new Sender();
  const error = await sender.fail({ url: server.url(), firstByteTimeout: 60 });
  expect(error).toMatchObject(timeout('sent', 'firstByteTimeout'));
});

test('idle timeout: between pieces of the body', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const steady = target.url('/drip?count=4&interval=450');
  expect(await sender.get(steady, { idleTimeout: 1_500 })).toMatchObject({ status: 200 });
  const pausing = target.url('/drip?count=2&interval=5000');
  const error = await sender.fail({ url: pausing, idleTimeout: 60 });
  expect(error).toMatchObject(timeout('sent', 'idleTimeout'));
  // It does not count the wait for the response.
  expect(await sender.get(target.url('/delay/500'), { idleTimeout: 300 })).toMatchObject({
    status: 200,
  });
});

test('overall timeout: waiting, reading, over all hops', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  for (const path of ['/hold', '/drip?count=1000&interval=10', '/redirect-to?url=/hold']) {
    const error = await sender.fail({ url: target.url(path), timeout: 800 });
    expect(error).toMatchObject(timeout('sent', 'timeout'));
  }
  await target.waitFor(({ inFlight, open }) => inFlight === 0 && open === 0);
});

test('a connect timeout on a later hop has bytes behind it', async () => {
  await using target = await startTargetServer();
  await using silent = await RawServer.start();
  await using sender = new Sender();
  const url = target.url(`/redirect-to?url=https://127.0.0.1:${silent.port}/`);
  expect(await sender.fail({ url, connectTimeout: 60 })).toMatchObject(
    timeout('sent', 'connectTimeout'),
  );
});

test('a longer one than a Node timer can hold does not fire at once', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const long = 2 ** 31;
  const response = await sender.get(target.url('/delay/20'), {
    timeout: long,
    connectTimeout: long,
    firstByteTimeout: long,
    idleTimeout: long,
  });
  expect(response.status).toBe(200);
});
