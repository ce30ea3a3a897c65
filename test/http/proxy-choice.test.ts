import { describe, expect, test } from 'vitest';
import { createProxyChoice } from '../../src/http/proxy.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { startTinyproxy } from '../support/tinyproxy.ts';
import { OK, POST, RawServer, Sender, answering } from './support.ts';

const proxyAt = (port: number, userinfo = ''): string => `http://${userinfo}127.0.0.1:${port}`;

describe('which proxy', () => {
  const own = 'http://own.test:8080';

  test.each([
    ['http://example.test/', undefined, 'common.test:3128'],
    ['http://example.test/', own, 'own.test:8080'],
    ['http://example.test/', null, undefined],
    ['http://internal.test/', undefined, undefined],
    ['http://internal.test/', own, 'own.test:8080'],
    ['http://INTERNAL.test./', undefined, undefined],
    ['http://below.internal.test/', undefined, 'common.test:3128'],
    ['http://a.b.corp.test/', undefined, undefined],
    ['http://corp.test/', undefined, 'common.test:3128'],
    ['http://10.1.2.3/', undefined, undefined],
    ['http://0x0a010203/', undefined, undefined],
    ['http://11.1.2.3/', undefined, 'common.test:3128'],
    ['http://[fd00::1]:8080/', undefined, undefined],
    ['http://[fe00::1]/', undefined, 'common.test:3128'],
  ])('%s, own %s: %s', (url, ownUrl, name) => {
    const choose = createProxyChoice({
      proxyUrl: 'http://common.test:3128',
      noProxy: ['internal.test', '*.corp.test', '10.0.0.0/8', 'fd00::/16'],
    });
    expect(choose(new URL(url), ownUrl)?.name).toBe(name);
  });

  test('asked for each hop', async () => {
    await using proxy = await startTinyproxy();
    await using first = await startTargetServer();
    await using second = await startTargetServer();
    await using sender = new Sender({
      proxyUrl: proxyAt(proxy.port),
      noProxy: ['127.0.0.1/32'],
    });
    const end = second.url('/echo').replace('127.0.0.1', 'localhost');
    await sender.get(first.url(`/redirect-to?url=${end}`));
    expect(first.hits[0]!.headers).not.toHaveProperty('via');
    expect(second.hits[0]!.headers).toHaveProperty('via');
  });

  test('connections with other credentials are not shared', async () => {
    await using proxy = await RawServer.start(answering(OK));
    await using sender = new Sender();
    for (const userinfo of ['', 'a:1@', 'b:2@', 'a:1@']) {
      await sender.get('http://example.test/', { proxyUrl: proxyAt(proxy.port, userinfo) });
    }
    expect(proxy.sockets).toHaveLength(3);
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
    expect(proxy.received[0]).not.toContain('proxy-authorization');
    expect(proxy.received[1]).toContain(`proxy-authorization: ${basic('a:1')}`);
    expect(proxy.received[2]).toContain(`proxy-authorization: ${basic('b:2')}`);
  });
});

describe('address guard', () => {
  const strict = { allowPrivateAddresses: false };
  const blocked = { type: 'BlockedAddressError', phase: 'connect', transient: false };

  test('literals and denied hosts are refused, names are the proxy’s to look up', async () => {
    await using proxy = await RawServer.start(answering(OK));
    await using sender = new Sender({
      ...strict,
      proxyUrl: proxyAt(proxy.port),
      denyHosts: ['denied.test'],
    });
    for (const host of [
      ...['127.0.0.1', '0x7f.1', '169.254.169.254', '[::1]', '[::ffff:10.0.0.1]'],
      ...['localhost', 'app.localhost', 'LOCALHOST.', 'denied.test'],
    ]) {
      expect(await sender.fail({ url: `http://${host}/`, ...POST }), host).toMatchObject(blocked);
    }
    expect(proxy.sockets).toHaveLength(0);
    expect(await sender.get('http://example.test/')).toMatchObject({ body: 'ok' });
  });

  test('the proxy of a request passes it, the worker’s does not have to', async () => {
    await using proxy = await RawServer.start(answering(OK));
    await using sender = new Sender(strict);
    for (const host of ['127.0.0.1', 'localhost']) {
      const proxyUrl = `http://${host}:${proxy.port}`;
      const error = await sender.fail({ url: 'http://example.test/', proxyUrl });
      expect(error, host).toMatchObject(blocked);
    }
    expect(proxy.sockets).toHaveLength(0);
    await using allowing = new Sender({ ...strict, allowAddresses: ['127.0.0.1/32'] });
    expect(
      await allowing.get('http://example.test/', { proxyUrl: proxyAt(proxy.port) }),
    ).toMatchObject({ body: 'ok' });
  });
});
