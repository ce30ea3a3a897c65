import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, test } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { Http2Target, OK2 } from './http2-target.ts';
import { OK, POST, RawServer, Sender, answering, startTlsServer } from './support.ts';

test('opens connections in parallel, as many as there are requests', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const all = Promise.all(Array.from({ length: 300 }, () => sender.get(target.url('/hold'))));
  await target.waitFor(({ inFlight }) => inFlight === 300);
  expect(target.connections).toBe(300);
  target.release();
  expect((await all).every(({ status }) => status === 200)).toBe(true);
});

test('reuses the connection that was used last', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  for (let i = 0; i < 5; i++) await sender.get(target.url('/echo'));
  expect(target.connections).toBe(1);
  await Promise.all([sender.get(target.url('/echo')), sender.get(target.url('/echo'))]);
  expect(target.connections).toBe(2);
  for (let i = 0; i < 5; i++) await sender.send({ url: target.url('/echo'), ...POST });
  expect(target.connections).toBe(2);
});

test('a slow host does not hold up another', async () => {
  await using slow = await startTargetServer();
  await using fast = await startTargetServer();
  await using sender = new Sender();
  const held = Array.from({ length: 50 }, () => sender.get(slow.url('/hold')));
  await slow.waitFor(({ inFlight }) => inFlight === 50);
  expect(await sender.get(fast.url('/echo'))).toMatchObject({ status: 200 });
  expect(slow.inFlight).toBe(50);
  slow.release();
  await Promise.all(held);
});

test('a failing connection leaves those beside it alone', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const held = [sender.get(target.url('/hold')), sender.get(target.url('/hold'))];
  await target.waitFor(({ inFlight }) => inFlight === 2);
  expect(await sender.fail({ url: target.url('/reset') })).toMatchObject({ phase: 'sent' });
  expect(target.inFlight).toBe(2);
  target.release();
  expect(await Promise.all(held)).toMatchObject([{ status: 200 }, { status: 200 }]);
});

test('closes a connection after the idle timeout', async () => {
  await using target = await startTargetServer({ keepAliveTimeout: 60_000 });
  await using sender = new Sender({ idleConnectionTimeout: 50 });
  await sender.get(target.url('/echo'));
  expect(target.open).toBe(1);
  await target.waitFor(({ open }) => open === 0);
});

test('keeps so many unused connections, over all origins; the one used longest ago goes first', async () => {
  await using first = await startTargetServer();
  await using second = await startTargetServer();
  await using http2 = await Http2Target.start(OK2);
  await using sender = new Sender({ maxIdleConnections: 2 });
  const held = sender.get(first.url('/hold'));
  await first.waitFor(({ inFlight }) => inFlight === 1);
  await sender.get(http2.url());
  await sender.get(first.url('/echo'));
  await sender.get(second.url('/echo'));
  await waitFor(() => http2.sessions[0]!.destroyed);
  // Used again, the first one is younger than the second's.
  await sender.get(first.url('/echo'));
  await sender.get(http2.url());
  await second.waitFor(({ open }) => open === 0);
  // One in use is not concerned.
  expect(first.open).toBe(2);
  first.release();
  expect(await held).toMatchObject({ status: 200 });
  expect(first.connections).toBe(2);

  await using none = new Sender({ maxIdleConnections: 0 });
  await none.get(second.url('/echo'));
  await second.waitFor(({ open }) => open === 0);
});

test('a burst of answers closes no connection that the next requests want at once', async () => {
  await using target = await startTargetServer({ keepAliveTimeout: 60_000 });
  await using sender = new Sender({ maxIdleConnections: 10 });
  for (let wave = 0; wave < 3; wave++) {
    const all = Promise.all(Array.from({ length: 50 }, () => sender.get(target.url('/hold'))));
    await target.waitFor(({ held }) => held === 50);
    target.release();
    await all;
  }
  expect(target.connections).toBe(50);
  await target.waitFor(({ open }) => open === 10);
});

test('a connection that is given up for others is not handed out again', async () => {
  await using server = await startTargetServer();
  const to = encodeURIComponent('/echo');
  for (const maxIdleConnections of [0, 1]) {
    await using sender = new Sender({ maxIdleConnections });
    for (let i = 0; i < 3; i++) {
      const response = await sender.get(server.url(`/redirect-to?status=302&url=${to}`));
      expect(response.status).toBe(200);
    }
  }
});

test('keeps no connection that either side wants closed', async () => {
  await using server = await RawServer.start(
    answering('HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok'),
  );
  await using sender = new Sender();
  for (let i = 0; i < 3; i++) await sender.get(server.url());
  expect(server.sockets).toHaveLength(3);

  await using keeping = await RawServer.start(answering(OK));
  for (let i = 0; i < 3; i++) await sender.get(keeping.url(), { headers: { connection: 'close' } });
  expect(keeping.sockets).toHaveLength(3);
});

/** Answers the first request of each connection; closes it unanswered at the second. */
function closingOnReuse(close: 'end' | 'reset'): Promise<RawServer> {
  return RawServer.start((socket) => {
    let requests = 0;
    socket.on('data', (chunk) => {
      if (!chunk.includes('\r\n\r\n')) return;
      if (requests++ === 0) socket.write(OK);
      else if (close === 'reset') socket.resetAndDestroy();
      else socket.end();
    });
  });
}

test.each(['end', 'reset'] as const)(
  'a kept connection that turns out closed (%s): sent once more, if that is allowed',
  async (close) => {
    await using server = await closingOnReuse(close);
    await using sender = new Sender();
    await sender.get(server.url('/first'));

    let sent = 0;
    const onSent = (): void => void sent++;
    expect(await sender.send({ url: server.url('/again') }, { onSent })).toMatchObject({
      status: 200,
      body: 'ok',
    });
    expect(sent).toBe(1);
    expect(server.received).toHaveLength(2);
    expect(server.received[0]).toContain('GET /again');
    expect(server.received[1]).toContain('GET /again');

    const error = await sender.fail({ url: server.url('/post'), ...POST });
    expect(error).toMatchObject({ type: 'ConnectionError', phase: 'sent', transient: true });
    expect(server.received.join('').match(/POST \/post/g)).toHaveLength(1);
  },
);

test('sent once more once only, and on a new connection', async () => {
  await using server = await RawServer.start((socket, index) => {
    let requests = 0;
    socket.on('data', () => {
      if (index < 2 && requests++ === 0) setImmediate(() => socket.write(OK));
      else socket.destroy();
    });
  });
  await using sender = new Sender();
  await Promise.all([sender.get(server.url('/a')), sender.get(server.url('/b'))]);
  expect(server.sockets).toHaveLength(2); // two idle, both closed on use
  expect(await sender.fail({ url: server.url('/c') })).toMatchObject({ type: 'ConnectionError' });
  expect(server.received.join('').match(/GET \/c/g)).toHaveLength(2);
  expect(server.received[2]).toContain('GET /c');
});

test('not sent again when a part of the response has arrived', async () => {
  await using server = await RawServer.start((socket) => {
    let requests = 0;
    socket.on('data', () => {
      if (requests++ === 0) socket.write(OK);
      else socket.end('HTTP/1.1 2');
    });
  });
  await using sender = new Sender();
  await sender.get(server.url('/first'));
  expect(await sender.fail({ url: server.url('/again') })).toMatchObject({
    type: 'ConnectionError',
    phase: 'sent',
  });
  expect(server.received.join('').match(/GET \/again/g)).toHaveLength(1);
});

test('not sent again on a connection of its own', async () => {
  await using server = await RawServer.start((socket) => {
    socket.on('data', () => socket.resetAndDestroy());
  });
  await using sender = new Sender();
  expect(await sender.fail({ url: server.url() })).toMatchObject({ phase: 'sent' });
  expect(server.sockets).toHaveLength(1);
});

test('over TLS too', async () => {
  const seen = new Map<unknown, number>();
  await using server = await startTlsServer((request, response) => {
    const requests = (seen.get(request.socket) ?? 0) + 1;
    seen.set(request.socket, requests);
    if (requests === 2) request.socket.destroy();
    else response.end('ok');
  }, 'server');
  await using sender = new Sender();
  await sender.get(server.url());
  expect(await sender.get(server.url())).toMatchObject({ status: 200, body: 'ok' });
  expect([...seen.values()]).toEqual([2, 1]);
});

test('what may not be sent again avoids connections idle for over a second', async () => {
  await using server = await RawServer.start(answering(OK));
  await using sender = new Sender();
  await sender.get(server.url('/1'));
  await sender.send({ url: server.url('/2'), ...POST });
  expect(server.sockets).toHaveLength(1); // fresh enough

  const used = performance.now();
  await waitFor(() => performance.now() - used > 1_050);
  await sender.send({ url: server.url('/3'), ...POST });
  expect(server.sockets).toHaveLength(2);
  expect(server.received[1]).toContain('POST /3');
  // The old one stands, and a request that may be sent again takes what was used last.
  await sender.get(server.url('/4'));
  expect(server.received[1]).toContain('GET /4');
});

test("a server's keep-alive hint shortens the idle time and never lengthens it", async () => {
  const hinting = (seconds: number): string =>
    OK.replace('\r\n', `\r\nkeep-alive: timeout=${seconds}\r\n`);
  await using server = await RawServer.start(answering(hinting(600)));
  await using sender = new Sender({ idleConnectionTimeout: 50 });
  await sender.get(server.url());
  await waitFor(() => server.sockets[0]!.destroyed);

  await using brief = await RawServer.start(answering(hinting(1)));
  await using patient = new Sender({ idleConnectionTimeout: 600_000 });
  await patient.get(brief.url());
  await waitFor(() => brief.sockets[0]!.destroyed);
});

test('close: takes nothing new, lets what is in flight finish, closes idle connections', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  await sender.get(target.url('/echo'));
  const held = sender.get(target.url('/hold'));
  await target.waitFor(({ inFlight }) => inFlight === 1);

  let closed = false;
  const closing = sender.transport.close().then(() => (closed = true));
  expect(await sender.fail({ url: target.url('/echo') })).toMatchObject({
    type: 'ConnectionError',
    phase: 'connect',
    transient: true,
  });
  expect(closed).toBe(false);
  target.release();
  expect(await held).toMatchObject({ status: 200 });
  await closing;
  await target.waitFor(({ open }) => open === 0);
  await sender.transport.close();
});

test('close by force ends what is in flight', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const held = sender.fail({ url: target.url('/hold') });
  await target.waitFor(({ inFlight }) => inFlight === 1);
  const closing = sender.transport.close();
  await sender.transport.close({ force: true });
  await closing;
  expect(await held).toMatchObject({ type: 'ConnectionError', phase: 'sent', transient: true });
  await target.waitFor(({ open }) => open === 0);
});

test('a kept socket keeps nothing of the async context that opened it', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const context = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const onBytes = (): void => void seen.push(context.getStore());
  for (const name of ['first', 'second']) {
    await context.run(name, () => sender.send({ url: target.url('/echo') }, { onBytes }));
  }
  expect(target.connections).toBe(1);
  expect(seen).toEqual([undefined, undefined]);
});
