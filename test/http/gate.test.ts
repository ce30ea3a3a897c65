import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { waitFor } from '../support/wait-for.ts';
import { OK, POST, RawServer, Sender, answering } from './support.ts';

const body = { kind: 'text', value: 'order' } as const;

/** A hook that the test opens or breaks. */
function gate(): {
  hook: () => Promise<void>;
  open: () => void;
  break: (reason: unknown) => void;
  asked: number;
} {
  const self = { open() {}, break(_reason: unknown) {}, asked: 0 };
  const opened = new Promise<void>((resolve, reject) =>
    Object.assign(self, { open: resolve, break: reject }),
  );
  return Object.assign(self, {
    hook: () => {
      self.asked++;
      return opened;
    },
  });
}

test.each([
  ['a body', { body }, 'POST /x HTTP/1.1\r\n', '\r\ncontent-length: 5\r\n\r\norder'],
  ['no body', {}, 'POST /x HTTP/1.1\r\n', '\r\ncontent-length: 0\r\n\r\n'],
  ['an empty body', { body: { ...body, value: '' } }, 'POST /x', '\r\ncontent-length: 0\r\n\r\n'],
  ['GET', { method: 'GET' as const }, 'GET /x HTTP/1.1\r\n', '/test\r\n\r\n'],
])('nothing is sent before the hook resolves: %s', async (_name, request, start, end) => {
  await using server = await RawServer.start(answering(OK));
  await using sender = new Sender();
  const events: string[] = [];
  const { hook, open } = gate();
  const response = sender.send(
    { url: server.url('/x'), ...POST, headers: { 'accept-encoding': 'br' }, ...request },
    {
      beforeFirstByte: async () => {
        events.push('asked');
        await hook();
      },
      onSent: () => events.push('sent'),
    },
  );
  await waitFor(() => events.length === 1 && server.sockets.length === 1);
  // A request that opened its gate later overtakes the first on the same server.
  await sender.send({ url: server.url('/y'), ...POST });
  expect(server.received[1]).toContain('POST /y');
  expect(server.received[0]).toBe('');
  expect(events).toEqual(['asked']);

  open();
  expect(await response).toMatchObject({ status: 200, body: 'ok' });
  expect(events).toEqual(['asked', 'sent']);
  expect(server.received[0]!.startsWith(start)).toBe(true);
  expect(server.received[0]!.endsWith(end)).toBe(true);
});

test('the connection stands when the hook is asked', async () => {
  await using sender = new Sender();
  let asked = false;
  const error = await sender.fail(
    { url: 'http://127.0.0.1:1/', ...POST, body },
    { beforeFirstByte: async () => void (asked = true) },
  );
  expect(error).toMatchObject({ type: 'ConnectionError', phase: 'connect' });
  expect(asked).toBe(false);
});

test('a rejecting hook sends nothing and is what the try rejects with', async () => {
  await using server = await RawServer.start(answering(OK));
  await using sender = new Sender();
  const reason = new Error('fenced');
  let sent = false;
  const send = sender.send(
    { url: server.url(), ...POST, body },
    { beforeFirstByte: () => Promise.reject(reason), onSent: () => (sent = true) },
  );
  await expect(send).rejects.toBe(reason);
  await waitFor(() => server.sockets[0]?.destroyed);
  expect(server.received).toEqual(['']);
  expect(sent).toBe(false);
});

test('a connection that breaks in the gate was never sent', async () => {
  await using server = await RawServer.start();
  await using sender = new Sender();
  for (const how of ['destroy', 'resetAndDestroy'] as const) {
    const held = gate();
    let sent = false;
    const failed = sender.fail(
      { url: server.url(), ...POST, body },
      { beforeFirstByte: held.hook, onSent: () => (sent = true) },
    );
    await waitFor(() => held.asked === 1 && server.sockets.at(-1)?.destroyed === false);
    server.sockets.at(-1)![how]();
    expect(await failed).toMatchObject({
      type: 'ConnectionError',
      phase: 'connect',
      transient: true,
    });
    held.open();
    await held.hook();
    expect(sent).toBe(false);
    expect(server.received.at(-1)).toBe('');
  }
});

test('an answer before the request was sent is none', async () => {
  const early = 'HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n';
  await using server = await RawServer.start();
  await using sender = new Sender();
  const held = gate();
  const failed = sender.fail({ url: server.url(), ...POST, body }, { beforeFirstByte: held.hook });
  await waitFor(() => held.asked === 1 && server.sockets.length === 1);
  server.sockets[0]!.write(early);
  expect(await failed).toMatchObject({
    type: 'ConnectionError',
    phase: 'connect',
    transient: true,
  });
  held.open();
});

test('the overall timeout counts in the gate, and means never sent', async () => {
  await using server = await RawServer.start();
  await using sender = new Sender();
  const held = gate();
  const error = await sender.fail(
    { url: server.url(), ...POST, body, timeout: 1_000, connectTimeout: 10_000 },
    { beforeFirstByte: held.hook },
  );
  expect(error).toMatchObject({ type: 'TimeoutError', phase: 'connect', transient: true });
  expect(held.asked).toBe(1);
  expect(server.received).toEqual(['']);
});

test('the connect timeout ends with the connection, not with the gate', async () => {
  await using server = await RawServer.start(answering(OK));
  await using sender = new Sender();
  const asked = performance.now();
  const response = await sender.send(
    { url: server.url(), ...POST, connectTimeout: 1_000 },
    { beforeFirstByte: () => waitFor(() => performance.now() - asked > 1_100).then(() => {}) },
  );
  expect(response.status).toBe(200);
});

test('an abort in the gate closes the connection and sends nothing', async () => {
  await using server = await RawServer.start();
  await using sender = new Sender();
  const held = gate();
  const abort = new AbortController();
  const send = sender.send(
    { url: server.url(), ...POST, body },
    { beforeFirstByte: held.hook, signal: abort.signal },
  );
  await waitFor(() => held.asked === 1 && server.sockets.length === 1);
  const reason = { not: 'even an error' };
  abort.abort(reason);
  await expect(send).rejects.toBe(reason);
  await waitFor(() => server.sockets[0]!.destroyed);
  held.open();
  expect(server.received).toEqual(['']);
});

test('a hook that fails after the abort fails silently', async () => {
  await using server = await RawServer.start();
  await using sender = new Sender();
  const held = gate();
  const abort = new AbortController();
  const send = sender.send(
    { url: server.url(), ...POST, body },
    { beforeFirstByte: held.hook, signal: abort.signal },
  );
  await waitFor(() => held.asked === 1);
  abort.abort(new Error('enough'));
  await expect(send).rejects.toThrow('enough');
  held.break(new Error('late'));
  await expect(held.hook()).rejects.toThrow('late');
});

test('asked once per try, not per hop', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  const held = gate();
  held.open();
  let sent = 0;
  const response = await sender.send(
    { url: target.url('/redirect-to?url=/echo&status=307'), ...POST, body },
    { beforeFirstByte: held.hook, onSent: () => sent++ },
  );
  expect(JSON.parse(response.body!)).toMatchObject({ method: 'POST', body: 'order' });
  expect(held.asked).toBe(1);
  expect(sent).toBe(1);
});

test('on a reused connection too', async () => {
  await using target = await startTargetServer();
  await using sender = new Sender();
  await sender.get(target.url('/echo'));
  const held = gate();
  const response = sender.send(
    { url: target.url('/echo'), ...POST, body },
    { beforeFirstByte: held.hook },
  );
  await waitFor(() => held.asked === 1);
  expect(target.total).toBe(1);
  held.open();
  expect((await response).status).toBe(200);
  expect(target.connections).toBe(1);
});

test('what breaks in the gate is not sent past it, even if it may be sent again', async () => {
  await using server = await RawServer.start(answering(OK));
  await using sender = new Sender();
  await sender.get(server.url('/first'));
  const held = gate();
  const failed = sender.fail({ url: server.url('/gated') }, { beforeFirstByte: held.hook });
  await waitFor(() => held.asked === 1);
  server.sockets[0]!.destroy();
  expect(await failed).toMatchObject({ type: 'ConnectionError', phase: 'connect' });
  expect(server.received.join('')).not.toContain('/gated');
  held.open();
});

/** A server in another process, which goes on while this one stands still. */
const CLOSES_SOON = `
  const server = require('node:net').createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => {
      socket.write('HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok');
      setTimeout(() => socket.end(), 300);
    });
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;

test('a process that stood still at the gate finds a kept connection closed, unsent', async () => {
  const child = spawn(process.execPath, ['-e', CLOSES_SOON], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [port] = (await once(child.stdout, 'data')) as [Buffer];
    const url = `http://127.0.0.1:${String(port).trim()}/`;
    await using sender = new Sender();
    await sender.send({ url, ...POST });
    const standStill = (): void => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_000);
    };
    const sent = sender.send({ url, ...POST }, { beforeFirstByte: async () => standStill() });
    await expect(sent).rejects.toMatchObject({ phase: 'connect', transient: true });
  } finally {
    child.kill('SIGKILL');
    await once(child, 'close');
  }
});
