import dns from 'node:dns';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createAddressGuard } from '../../src/http/address-guard.ts';
import { createTransport } from '../../src/http/transport.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { POST, Sender } from './support.ts';

const BLOCKED = { type: 'BlockedAddressError', phase: 'connect', transient: false };

describe('addresses', () => {
  const guard = createAddressGuard({ allowPrivateAddresses: false, allowAddresses: [] });

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
    ['none at all', 'not-an-address'],
    ['empty', ''],
  ])('blocked, %s: %s', (_name, address) => {
    expect(guard('host.example', address)).toMatchObject(BLOCKED);
    expect(guard('host.example', address)!.message).toContain(`host.example is at ${address}`);
  });

  test.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.32.0.1',
    '100.128.0.1',
    '::ffff:8.8.8.8',
    '2606:4700::1111',
  ])('reachable: %s', (address) => expect(guard('host.example', address)).toBeUndefined());

  test.each([
    ['10.1.0.0/16', '10.1.2.3', '10.2.0.1'],
    ['10.1.2.3', '10.1.2.3', '10.1.2.4'],
    ['10.1.0.0/16', '::ffff:10.1.2.3', '::10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3', '::10.1.2.3'],
    ['fd00::/8', 'fd12::1', 'fe80::1'],
    ['64:ff9b::/96', '64:ff9b::808:808', '64:ff9b:1::1'],
    ['::1', '::1', '127.0.0.1'],
  ])('allowAddresses %s', (cidr, allowed, blocked) => {
    const some = createAddressGuard({
      allowPrivateAddresses: false,
      allowAddresses: ['9.9.9.9', cidr],
    });
    expect(some('h', allowed)).toBeUndefined();
    expect(some('h', blocked)).toMatchObject(BLOCKED);
  });

  test('a CIDR that is none is refused at start', () => {
    for (const cidr of ['10.0.0.0/33', 'example.com', '10.0.0']) {
      const options = { userAgent: 'x', idleConnectionTimeout: 1, allowPrivateAddresses: false };
      expect(() => createTransport({ ...options, allowAddresses: [cidr] })).toThrow(
        `allowAddresses: expected an address or CIDR, got ${cidr}`,
      );
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
