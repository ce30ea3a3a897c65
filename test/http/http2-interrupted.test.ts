import { constants } from 'node:http2';
import { describe, expect, test } from 'vitest';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { body, Http2Target, lost, ok, OK2, unsent } from './http2-target.ts';
import { POST, Sender } from './support.ts';

describe('the server ends', () => {
  test('a stream it refuses: sent once more, then it was never sent', async () => {
    await using target = await Http2Target.start(({ stream }, index) => {
      if (index === 0 || index > 1) stream.close(constants.NGHTTP2_REFUSED_STREAM);
      else ok([target.hits[index]!]);
    });
    await using sender = new Sender();
    let asked = 0;
    const hooks = { beforeFirstByte: async () => void asked++ };
    expect(await sender.send({ url: target.url(), ...POST, body }, hooks)).toMatchObject({
      status: 200,
    });
    expect(asked).toBe(1);
    expect(target.hits.map((hit) => hit.headers[':method'])).toEqual(['POST', 'POST']);

    expect(await sender.fail({ url: target.url(), ...POST, body })).toMatchObject(unsent);
    expect(target.hits).toHaveLength(4);
  });

  test.each(['NGHTTP2_CANCEL', 'NGHTTP2_INTERNAL_ERROR', 'NGHTTP2_NO_ERROR'] as const)(
    'a stream before its answer: %s',
    async (code) => {
      await using target = await Http2Target.start(({ stream }, index) => {
        if (index === 0) stream.close(constants[code]);
      });
      await using sender = new Sender();
      expect(await sender.fail({ url: target.url(), ...POST, body })).toMatchObject(lost);
      expect(target.hits).toHaveLength(1);
      // The session is none the worse for it.
      target.answer = OK2;
      expect(await sender.get(target.url())).toMatchObject({ status: 200 });
      expect(target.sessions).toHaveLength(1);
    },
  );

  test.each([
    ['with its length', { 'content-length': '100' }],
    ['without', {}],
  ])('a stream within its answer, as if nothing was wrong: %s', async (_, headers) => {
    await using target = await Http2Target.start(({ stream }) => {
      stream.respond({ ':status': 200, ...headers });
      stream.write('half of it', () => stream.close(constants.NGHTTP2_NO_ERROR));
      // Not ended: a reset without an error is all that the client sees.
      stream.end = () => stream;
    });
    await using sender = new Sender();
    expect(await sender.fail({ url: target.url() })).toMatchObject(lost);
  });

  test('a stream within its answer, others go on', async () => {
    await using target = await Http2Target.start(({ stream, headers }) => {
      if (headers[':path'] === '/held') return;
      stream.respond({ ':status': 200 });
      stream.write('half of it', () => stream.destroy(new Error('broken')));
    });
    await using sender = new Sender();
    const held = sender.get(target.url('/held'));
    await target.seen(1);
    const error = await sender.fail({ url: target.url('/broken') });
    expect(error).toMatchObject(lost);
    expect(error.message).toContain('NGHTTP2_INTERNAL_ERROR');
    ok(target.hits.slice(0, 1));
    expect(await held).toMatchObject({ status: 200 });
  });

  test('the session, by GOAWAY: what it has taken is answered, what it has not goes elsewhere', async () => {
    await using target = await Http2Target.start();
    await using sender = new Sender();
    const all = Array.from({ length: 10 }, () => sender.send({ url: target.url(), ...POST, body }));
    await target.seen(10);
    // Of the ten streams 1, 3, …, 19 it says that it has taken those up to 9.
    target.answer = OK2;
    target.sessions[0]!.goaway(constants.NGHTTP2_NO_ERROR, 9);
    await target.seen(15);
    expect(target.sessions).toHaveLength(2);
    ok(target.hits.slice(0, 5));
    expect((await Promise.all(all)).every(({ status }) => status === 200)).toBe(true);
    expect(target.hits).toHaveLength(15);
    await waitFor(() => target.sessions[0]!.destroyed);
  });

  test('the session, by GOAWAY with an error: lost is what it had taken', async () => {
    await using target = await Http2Target.start();
    await using sender = new Sender();
    const all = Array.from({ length: 10 }, () =>
      sender.send({ url: target.url(), ...POST, body }).catch((error: unknown) => error),
    );
    await target.seen(10);
    target.answer = OK2;
    target.sessions[0]!.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 9);
    const results = await Promise.all(all);
    for (const result of results.slice(0, 5)) expect(result).toMatchObject(lost);
    for (const result of results.slice(5)) expect(result).toMatchObject({ status: 200 });
  });

  test('the connection', async () => {
    await using target = await Http2Target.start();
    await using sender = new Sender();
    const post = sender.fail({ url: target.url(), ...POST, body });
    const get = sender.fail({ url: target.url() });
    await target.seen(2);
    target.sockets[0]!.destroy();
    expect(await post).toMatchObject(lost);
    expect(await get).toMatchObject(lost);
  });

  test('the connection, between us and it', async () => {
    await using target = await Http2Target.start();
    await using between = await startTcpProxy(target.port);
    await using sender = new Sender();
    const post = sender.fail({ url: `https://localhost:${between.port}/`, ...POST, body });
    await target.seen(1);
    between.cut();
    expect(await post).toMatchObject(lost);
  });

  test('a kept connection, unanswered: sent once more, if that is allowed', async () => {
    await using target = await Http2Target.start(OK2);
    await using sender = new Sender();
    await sender.get(target.url());
    target.answer = (hit, index) => {
      if (index === 1 || index === 3) target.sockets.at(-1)!.destroy();
      else ok([hit]);
    };
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
    expect(await sender.fail({ url: target.url(), ...POST, body })).toMatchObject(lost);
    expect(target.hits).toHaveLength(4);
  });
});

describe('a session that has been silent', () => {
  const silent = async (ms = 1_050): Promise<void> => {
    const since = performance.now();
    await waitFor(() => performance.now() - since > ms);
  };

  test('is asked before it gets what may not be sent again', async () => {
    await using target = await Http2Target.start(OK2);
    await using between = await startTcpProxy(target.port);
    await using sender = new Sender();
    const url = `https://localhost:${between.port}/`;
    await sender.get(url);
    await silent();
    const posts = [1, 2].map(() => sender.send({ url, ...POST, body }));
    expect(await Promise.all(posts)).toMatchObject([{ status: 200 }, { status: 200 }]);
    expect(target.sessions).toHaveLength(1);

    // Half-open: what is sent goes nowhere, and nobody says so.
    await silent();
    between.freeze();
    let sent = false;
    const post = sender.send({ url, ...POST, body }, { onSent: () => (sent = true) });
    const abort = new AbortController();
    const aborted = sender.send({ url, ...POST, body }, { signal: abort.signal });
    await silent(100);
    expect(sent).toBe(false);
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    between.restore();
    expect(await post).toMatchObject({ status: 200 });
    expect(target.hits).toHaveLength(4);
  });

  test('and does not answer: gets no more requests', async () => {
    await using target = await Http2Target.start(OK2);
    await using between = await startTcpProxy(target.port);
    await using sender = new Sender();
    const url = `https://localhost:${between.port}/`;
    await sender.get(url);
    await silent();
    between.freeze();
    // A request that may be sent again does not ask first, but its end does.
    expect(await sender.fail({ url, timeout: 600 })).toMatchObject({ type: 'TimeoutError' });
    await waitFor(() => target.sockets[0]!.destroyed);
    between.restore();
    expect(await sender.get(url)).toMatchObject({ status: 200 });
  });
});

describe('the request', () => {
  test('is not begun before the hook resolves', async () => {
    await using target = await Http2Target.start(OK2);
    await using sender = new Sender();
    for (const request of [{ body }, {}, { method: 'GET' as const }]) {
      const events: string[] = [];
      let open!: () => void;
      const opened = new Promise<void>((resolve) => (open = resolve));
      const before = target.hits.length;
      const response = sender.send(
        { url: target.url(), ...POST, ...request },
        {
          beforeFirstByte: () => {
            events.push('asked');
            return opened;
          },
          onSent: () => events.push('sent'),
        },
      );
      await waitFor(() => events.length === 1);
      // Overtaken on the same session.
      await sender.send({ url: target.url(), ...POST });
      expect(target.hits).toHaveLength(before + 1);
      expect(events).toEqual(['asked']);
      open();
      expect(await response).toMatchObject({ status: 200 });
      expect(events).toEqual(['asked', 'sent']);
    }
    expect(target.sessions).toHaveLength(1);
    expect(target.hits[3]?.headers['content-length']).toBe('0');
  });

  test('is not sent past a gate that the session did not outlive', async () => {
    await using target = await Http2Target.start(OK2);
    await using sender = new Sender();
    let sent = false;
    let open!: () => void;
    const opened = new Promise<void>((resolve) => (open = resolve));
    let asked = false;
    const failed = sender.fail(
      { url: target.url(), ...POST, body },
      {
        beforeFirstByte: () => {
          asked = true;
          return opened;
        },
        onSent: () => (sent = true),
      },
    );
    await waitFor(() => asked);
    target.sockets[0]!.destroy();
    await sender.get(target.url());
    open();
    expect(await failed).toMatchObject(unsent);
    expect(sent).toBe(false);
    expect(target.hits).toHaveLength(1);
  });

  test('a rejecting hook sends nothing and is what the try rejects with', async () => {
    await using target = await Http2Target.start(OK2, { settings: { maxConcurrentStreams: 1 } });
    await using sender = new Sender();
    const reason = new Error('fenced');
    const send = sender.send(
      { url: target.url(), ...POST, body },
      { beforeFirstByte: () => Promise.reject(reason) },
    );
    await expect(send).rejects.toBe(reason);
    // Its place is free again.
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
    expect(target.hits).toHaveLength(1);
    expect(target.sessions).toHaveLength(1);
  });

  test('aborted: its stream is reset with CANCEL, the session stays', async () => {
    await using target = await Http2Target.start();
    await using sender = new Sender();
    const abort = new AbortController();
    const held = sender.get(target.url());
    const send = sender.send({ url: target.url(), ...POST, body }, { signal: abort.signal });
    await target.seen(2);
    const { stream } = target.hits.find(({ headers }) => headers[':method'] === 'POST')!;
    abort.abort(new Error('enough'));
    await expect(send).rejects.toThrow('enough');
    await waitFor(() => stream.closed);
    expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    ok(target.hits.filter((hit) => hit.stream !== stream));
    expect(await held).toMatchObject({ status: 200 });
    expect(target.sessions).toHaveLength(1);
    expect(target.sessions[0]!.destroyed).toBe(false);
  });

  test('aborted while a large body is being sent', async () => {
    await using target = await Http2Target.start(({ stream }) => stream.pause());
    await using sender = new Sender();
    const abort = new AbortController();
    const large = { ...body, value: 'x'.repeat(20_000_000) };
    const send = sender.send({ url: target.url(), ...POST, body: large }, { signal: abort.signal });
    await target.seen(1);
    abort.abort();
    await expect(send).rejects.toBe(abort.signal.reason);
    await waitFor(() => target.hits[0]!.stream.closed);
    expect(target.hits[0]!.body.length).toBeLessThan(20_000_000);
    target.answer = OK2;
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
  });

  test('answered before all of it was sent', async () => {
    await using target = await Http2Target.start(({ stream }) => {
      stream.pause();
      stream.respond({ ':status': 413 });
      stream.end('too large');
    });
    await using sender = new Sender();
    const large = { ...body, value: 'x'.repeat(20_000_000) };
    expect(await sender.send({ url: target.url(), ...POST, body: large })).toMatchObject({
      status: 413,
      body: 'too large',
    });
    target.answer = OK2;
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
    expect(target.sessions).toHaveLength(1);
  });

  test('what HTTP/2 cannot carry is refused', async () => {
    await using target = await Http2Target.start(OK2);
    await using sender = new Sender();
    const error = await sender.fail({ url: target.url(), headers: { connection: 'close' } });
    expect(error).toMatchObject({ type: 'InvalidRequestError', transient: false });
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
  });
});
