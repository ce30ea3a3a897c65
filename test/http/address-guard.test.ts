import dns from 'node:dns';
import { createSecureContext } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createAddressGuard } from '../../src/http/address-guard.ts';
import { createTransport } from '../../src/http/transport.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { POST, Sender } from './support.ts';

const STRICT = {
  allowPrivateAddresses: false,
  allowAddresses: [],
  allowHosts: [],
  denyHosts: [],
};
const BLOCKED = { type: 'BlockedAddressError', phase: 'connect', transient: false };

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
    const error = guard.checkAddress('host.example', address);
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
    expect(guard.checkAddress('host.example', address)).toBeUndefined();
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
    expect(some.checkAddress('h', allowed)).toBeUndefined();
    expect(some.checkAddress('h', blocked)).toMatchObject(BLOCKED);
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
    const error = guard.checkAddress(host, PRIVATE);
    if (allowed) expect(error).toBeUndefined();
    else expect(error).toMatchObject(BLOCKED);
    expect(guard.checkHost(host)).toBeUndefined();
  });

  test('denyHosts wins over every other rule', () => {
    const guard = createAddressGuard({
      allowPrivateAddresses: true,
      allowAddresses: ['0.0.0.0/0'],
      allowHosts: ['api.example', '*.example'],
      denyHosts: ['api.example', '*.evil.example'],
    });
    for (const host of ['api.example', 'api.example.', 'x.evil.example']) {
      expect(guard.checkHost(host)).toMatchObject(BLOCKED);
      expect(guard.checkHost(host)!.message).toBe(`host ${host} is denied (denyHosts)`);
    }
    expect(guard.checkHost('evil.example')).toBeUndefined();
  });

  test('a literal is checked as a host, with and without brackets', () => {
    const guard = createAddressGuard(STRICT);
    for (const host of ['127.0.0.1', '::1', '[::1]', '[::ffff:a00:1]']) {
      expect(guard.checkHost(host)).toMatchObject(BLOCKED);
    }
    for (const host of ['8.8.8.8', '[2606:4700::1111]', 'localhost']) {
      expect(guard.checkHost(host)).toBeUndefined();
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

/** Names need answers that no resolver of the machine gives; the sockets are real. */
describe('names', () => {
  type Answers = (host: string) => dns.LookupAddress[];
  const lookups = vi.spyOn(dns, 'lookup');
  const resolveAs = (answers: Answers): void => {
    lookups.mockClear();
    lookups.mockImplementation(((
      host: string,
      _options: unknown,
      done: (...args: unknown[]) => void,
    ) => setImmediate(done, null, answers(host))) as never);
  };
  afterAll(() => lookups.mockRestore());

  let target: TargetServer;
  beforeAll(async () => void (target = await startTargetServer()));
  afterAll(() => target.close());

  test('every address counts, not only the first', async () => {
    await using sender = new Sender({ allowPrivateAddresses: false });
    resolveAs(() => [
      { address: '8.8.8.8', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]);
    const error = await sender.fail({ url: `http://mixed.example:${target.port}/` });
    expect(error).toMatchObject(BLOCKED);
    expect(error.message).toContain('mixed.example is at 127.0.0.1');
  });

  test('allowHosts lets a name through, denyHosts stops it before it is looked up', async () => {
    const allowHosts = ['*.inside.example'];
    resolveAs(() => [{ address: '127.0.0.1', family: 4 }]);
    const url = (name: string) => `http://${name}.inside.example:${target.port}/echo`;

    await using sender = new Sender({ ...STRICT, allowHosts });
    expect(await sender.get(url('A'))).toMatchObject({ status: 200 });
    const around = `http://a.inside.example.other.example:${target.port}/echo`;
    expect(await sender.fail({ url: around })).toMatchObject(BLOCKED);
    // The address by itself is not what was allowed.
    expect(await sender.fail({ url: target.url('/echo') })).toMatchObject(BLOCKED);

    lookups.mockClear();
    const denyHosts = ['denied.inside.example'];
    await using strict = new Sender({ allowHosts, denyHosts });
    for (const name of ['denied', 'DENIED', 'd%65nied', 'ｄenied']) {
      const error = await strict.fail({ url: url(name) });
      expect(error).toMatchObject(BLOCKED);
      expect(error.message).toMatch(/host denied\.inside\.example is denied \(denyHosts\)$/);
    }
    expect(lookups).not.toHaveBeenCalled();
    const to = encodeURIComponent(url('denied'));
    const hop = await strict.fail({
      url: `${url('b').replace('/echo', '')}/redirect-to?url=${to}`,
    });
    expect(hop).toMatchObject({ ...BLOCKED, phase: 'sent' });
  });

  test('the answer that was checked is the one connected to', async () => {
    await using sender = new Sender({
      allowPrivateAddresses: false,
      allowAddresses: ['127.0.0.1'],
    });
    let asked = 0;
    resolveAs(() => [{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.9', family: 4 }]);
    expect((await sender.get(`http://rebind.example:${target.port}/echo`)).status).toBe(200);
    expect(asked).toBe(1);
    const closing = { headers: { connection: 'close' } };
    await sender.get(`http://rebind.example:${target.port}/echo`, closing); // on the first connection
    const error = await sender.fail({ url: `http://rebind.example:${target.port}/echo` });
    expect(error.message).toContain('rebind.example is at 127.0.0.9');
  });

  test('concurrent lookups of one name are one', async () => {
    await using sender = new Sender();
    resolveAs(() => [{ address: '127.0.0.1', family: 4 }]);
    const urls = Array.from(
      { length: 50 },
      (_, i) => `http://${i % 2 ? 'a' : 'b'}.example:${target.port}/echo`,
    );
    const responses = await Promise.all(urls.map((url) => sender.get(url)));
    expect(responses.every(({ status }) => status === 200)).toBe(true);
    expect(lookups).toHaveBeenCalledTimes(2);
  });
});
