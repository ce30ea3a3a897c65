import { createSecureContext } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createAddressGuard } from '../../src/http/address-guard.ts';
import { createTransport } from '../../src/http/transport.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { BLOCKED, POST, Sender, STRICT } from './support.ts';

describe('addresses', () => {
  const guard = createAddressGuard(STRICT);

  test.each([
    ['this network', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['link-local', '169.254.0.1'],
    ['metadata', '169.254.169.254'],
    ['metadata, Alibaba', '100.100.100.200'],
    ['metadata, Oracle', '192.0.0.192'],
    ['metadata, Azure', '168.63.129.16'],
    ['metadata, Azure, mapped', '::ffff:168.63.129.16'],
    ['IETF', '192.0.0.1'],
    ['documentation', '192.0.2.1'],
    ['documentation', '198.51.100.1'],
    ['documentation', '203.0.113.1'],
    ['6to4 relay', '192.88.99.1'],
    ['benchmarks', '198.18.0.1'],
    ['benchmarks', '198.19.255.255'],
    ['multicast', '224.0.0.1'],
    ['multicast', '239.255.255.255'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['v4-compatible', '::127.0.0.1'],
    ['v4-compatible', '::8.8.8.8'],
    ['v4-mapped', '::ffff:127.0.0.1'],
    ['v4-mapped metadata', '::ffff:a9fe:a9fe'],
    ['v4-translated', '::ffff:0:7f00:1'],
    ['NAT64', '64:ff9b::7f00:1'],
    ['NAT64', '64:ff9b::808:808'],
    ['local NAT64', '64:ff9b:1::7f00:1'],
    ['discard', '100::1'],
    ['6to4', '2002:7f00:1::'],
    ['Teredo', '2001:0:4136:e378:8000:63bf:80ff:fffe'],
    ['benchmarks', '2001:2::1'],
    ['ORCHID', '2001:10::1'],
    ['documentation', '2001:db8::1'],
    ['documentation', '3fff::1'],
    ['SRv6', '5f00::1'],
    ['unique local', 'fc00::1'],
    ['metadata', 'fd00:ec2::254'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['IETF', '2001:1::1'],
    ['AMT', '2001:3::1'],
    ['AS112', '2620:4f:8000::1'],
    ['dummy prefix', '100:0:0:1::1'],
    ['not assigned', '200::1'],
    ['not assigned', '1fff:ffff::1'],
    ['not assigned', '4000::1'],
    ['not assigned', 'e000::1'],
    ['none at all', 'not-an-address'],
    ['empty', ''],
  ])('blocked, %s: %s', (_name, address) => {
    const error = guard.checkAddress('host.example', address, 80);
    expect(error).toMatchObject(BLOCKED);
    expect(error!.message).toContain(`host.example is at ${address}`);
  });

  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.32.0.1',
    '100.128.0.1',
    '::ffff:8.8.8.8',
    '2606:4700::1111',
    '2a00:1450::1',
    '168.63.129.17',
  ])('reachable: %s', (address) => {
    expect(guard.checkAddress('host.example', address, 80)).toBeUndefined();
  });

  test.each([
    ['10.1.0.0/16', '10.1.2.3', '10.2.0.1'],
    ['10.1.2.3', '10.1.2.3', '10.1.2.4'],
    ['10.1.0.0/16', '::ffff:10.1.2.3', '::10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3', '::10.1.2.3'],
    ['fd00::/8', 'fd12::1', 'fe80::1'],
    ['64:ff9b::/96', '64:ff9b::808:808', '64:ff9b:1::1'],
    ['::1', '::1', '127.0.0.1'],
  ])('allowAddresses %s', (cidr, allowed, blocked) => {
    const some = createAddressGuard({ ...STRICT, allowAddresses: ['9.9.9.9', cidr] });
    expect(some.checkAddress('h', allowed, 80)).toBeUndefined();
    expect(some.checkAddress('h', blocked, 80)).toMatchObject(BLOCKED);
  });

  test.each([
    ['10.1.2.3:8080', '10.1.2.3', '10.1.2.4'],
    ['10.1.2.3:8080', '::ffff:10.1.2.3', '::1'],
    ['[::1]:8080', '::1', '127.0.0.1'],
  ])('allowAddresses %s, at that port alone', (rule, address, other) => {
    const some = createAddressGuard({ ...STRICT, allowAddresses: [rule] });
    expect(some.checkAddress('h', address, 8080)).toBeUndefined();
    expect(some.checkHost(address, 8080)).toBeUndefined();
    expect(some.checkAddress('h', address, 8081)).toMatchObject(BLOCKED);
    expect(some.checkHost(address, 80)).toMatchObject(BLOCKED);
    expect(some.checkAddress('h', other, 8080)).toMatchObject(BLOCKED);
  });

  test('a CIDR that is none is refused at start', () => {
    for (const cidr of ['10.0.0.0/33', 'example.com', '10.0.0']) {
      const options = {
        userAgent: 'x',
        idleConnectionTimeout: 1,
        maxIdleConnections: 1,
        noProxy: [],
        secureContext: createSecureContext(),
        ...STRICT,
      };
      expect(() => createTransport({ ...options, allowAddresses: [cidr] })).toThrow(
        `allowAddresses: expected an address or CIDR, got ${cidr}`,
      );
    }
  });
});

describe('hosts', () => {
  const PRIVATE = '10.0.0.1';
  const rules = { allowHosts: ['api.example', '*.inside.example'], denyHosts: [] };

  test.each([
    ['api.example', true],
    ['api.example.', true],
    ['a.inside.example', true],
    ['a.b.inside.example.', true],
    ['inside.example', false],
    ['not-inside.example', false],
    ['x.api.example', false],
    ['api.example.evil.example', false],
    ['example', false],
  ])('allowHosts: %s, %o', (host, allowed) => {
    const guard = createAddressGuard({ ...STRICT, ...rules });
    const error = guard.checkAddress(host, PRIVATE, 80);
    if (allowed) expect(error).toBeUndefined();
    else expect(error).toMatchObject(BLOCKED);
    expect(guard.checkHost(host, 80)).toBeUndefined();
  });

  test('denyHosts wins over every other rule', () => {
    const guard = createAddressGuard({
      allowPrivateAddresses: true,
      allowAddresses: ['0.0.0.0/0'],
      allowHosts: ['api.example', '*.example'],
      denyHosts: ['api.example', '*.evil.example'],
    });
    for (const host of ['api.example', 'api.example.', 'x.evil.example']) {
      expect(guard.checkHost(host, 80)).toMatchObject(BLOCKED);
      expect(guard.checkHost(host, 80)!.message).toBe(`host ${host} is denied (denyHosts)`);
    }
    expect(guard.checkHost('evil.example', 80)).toBeUndefined();
  });

  test('a literal is checked as a host, with and without brackets', () => {
    const guard = createAddressGuard(STRICT);
    for (const host of ['127.0.0.1', '::1', '[::1]', '[::ffff:a00:1]']) {
      expect(guard.checkHost(host, 80)).toMatchObject(BLOCKED);
    }
    for (const host of ['8.8.8.8', '[2606:4700::1111]', 'localhost']) {
      expect(guard.checkHost(host, 80)).toBeUndefined();
    }
  });
});

describe('requests', () => {
  let target: TargetServer;
  beforeAll(async () => void (target = await startTargetServer()));
  afterAll(() => target.close());

  test.each([
    '127.0.0.1',
    '127.1',
    '0x7f.1',
    '0x7f000001',
    '2130706433',
    '017700000001',
    '0177.0.0.01',
    '127.0.0.1.',
    '%31%32%37.0.0.1',
    '①②⑦.0.0.1',
    '0.0.0.0',
    '0',
    'localhost',
    'LOCALHOST',
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[2002:7f00:1::]',
  ])('%s is blocked', async (host) => {
    await using sender = new Sender({ allowPrivateAddresses: false });
    const before = target.connections;
    const url = `http://${host}:${target.port}/echo?key=hidden`;
    const error = await sender.fail({ url, ...POST }, { beforeFirstByte: () => Promise.reject() });
    expect(error).toMatchObject(BLOCKED);
    expect(error.message).toMatch(
      /^POST http:\/\/.+\/echo: .+ is blocked \(private or reserved\)$/,
    );
    expect(error.message).not.toContain('hidden');
    expect(target.connections).toBe(before);
  });

  test('the message names host and address', async () => {
    await using sender = new Sender({ allowPrivateAddresses: false });
    const error = await sender.fail({ url: target.url('/').replace('127.0.0.1', 'localhost') });
    expect(error.message).toMatch(/localhost is at (127\.0\.0\.1|::1), which is blocked/);
  });

  test('over https too', async () => {
    await using sender = new Sender({ allowPrivateAddresses: false });
    expect(await sender.fail({ url: 'https://127.0.0.1:1/' })).toMatchObject(BLOCKED);
  });

  test('an allow-list opens what it names', async () => {
    const url = target.url('/echo');
    await using loopback = new Sender({
      allowPrivateAddresses: false,
      allowAddresses: ['127.0.0.0/8'],
    });
    expect((await loopback.get(url)).status).toBe(200);
    const here = `127.0.0.1:${target.port}`;
    await using port = new Sender({ allowPrivateAddresses: false, allowAddresses: [here] });
    expect((await port.get(url)).status).toBe(200);
    expect((await port.get(url.replace('127.0.0.1', 'localhost'))).status).toBe(200);
    const elsewhere = 'http://127.0.0.1:1/';
    expect(await port.fail({ url: elsewhere })).toMatchObject(BLOCKED);
    const redirect = target.url(`/redirect-to?url=${elsewhere}`);
    expect(await port.fail({ url: redirect })).toMatchObject({ ...BLOCKED, phase: 'sent' });
    await using ten = new Sender({ allowPrivateAddresses: false, allowAddresses: ['10.0.0.0/8'] });
    expect(await ten.fail({ url })).toMatchObject(BLOCKED);
  });

  test('each hop is checked', async () => {
    await using sender = new Sender({
      allowPrivateAddresses: false,
      allowAddresses: ['127.0.0.1'],
    });
    const before = target.total;
    for (const host of ['127.0.0.2', '[::ffff:a9fe:a9fe]', '169.254.169.254']) {
      const url = target.url(`/redirect-to?url=http://${host}:${target.port}/echo`);
      expect(await sender.fail({ url })).toMatchObject({ ...BLOCKED, phase: 'sent' });
    }
    expect(target.total).toBe(before + 3);
  });
});
