import dns from 'node:dns';
import net from 'node:net';
import { createSecureContext } from 'node:tls';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createAddressGuard } from '../../src/http/address-guard.ts';
import { createConnector } from '../../src/http/connector.ts';
import { destinationOf } from '../../src/http/destination.ts';
import { Sender } from '../http/support.ts';

/** No address of these may be reached: IANA's registries, in a form of our own. */
const BLOCKED_V4: [string, number][] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.31.196.0', 24],
  ['192.52.193.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['192.175.48.0', 24],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  ['168.63.129.16', 32],
  ['169.254.169.254', 32],
  ['127.0.0.1', 32],
];

/** By their first bits, in hex; what is left of an address is anything. */
const BLOCKED_V6: [string, number][] = [
  ['0000', 8],
  ['0064ff9b000000000000000000', 96],
  ['0064ff9b0001', 48],
  ['0100000000000000', 64],
  ['0200', 7],
  ['0400', 6],
  ['0800', 5],
  ['1000', 4],
  ['20010000', 23],
  ['20010db8', 32],
  ['2002', 16],
  ['2620004f8000', 48],
  ['3fff0', 20],
  ['4000', 3],
  ['5f00', 16],
  ['6000', 3],
  ['8000', 3],
  ['a000', 3],
  ['c000', 3],
  ['e000', 4],
  ['f000', 5],
  ['f800', 6],
  ['fc00', 7],
  ['fe00', 9],
  ['fe80', 10],
  ['fec0', 10],
  ['ff00', 8],
  ['fd000ec2000000000000000000000254', 128],
];

const v4Number = (text: string): bigint =>
  text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n);

/** Any address in one of the ranges. */
function within(bits: number, ranges: (readonly [bigint, number])[]): fc.Arbitrary<bigint> {
  const all = 2n ** BigInt(bits) - 1n;
  return fc
    .tuple(fc.constantFrom(...ranges), fc.bigInt({ min: 0n, max: all }))
    .map(([[base, length], rest]) => base | (rest & (all >> BigInt(length))));
}

const rangesV4 = BLOCKED_V4.map(([text, length]) => [v4Number(text), length] as const);
const rangesV6 = BLOCKED_V6.map(
  ([hex, length]) => [BigInt(`0x${hex.padEnd(32, '0')}`), length] as const,
);
const blockedV4 = within(32, rangesV4);
/** A mapped address is an IPv4 address, and may be a public one. */
const blockedV6 = within(128, rangesV6).filter((address) => address >> 32n !== 0xffffn);

const octets = (address: bigint): number[] =>
  [24n, 16n, 8n, 0n].map((shift) => Number((address >> shift) & 255n));
const groups = (address: bigint): string[] =>
  address.toString(16).padStart(32, '0').match(/.{4}/g)!;

const radix = fc.constantFrom<(value: bigint) => string>(
  (value) => value.toString(),
  (value) => `0x${value.toString(16)}`,
  (value) => `0X${value.toString(16).toUpperCase().padStart(4, '0')}`,
  (value) => `0${value.toString(8)}`,
  (value) => `000${value.toString(8)}`,
);

/** Four parts, three, two or one, each in its own radix: what `inet_aton` reads. */
const shortForms = fc
  .tuple(blockedV4, fc.integer({ min: 1, max: 4 }), fc.array(radix, { minLength: 4, maxLength: 4 }))
  .map(([address, parts, write]) => {
    const head = octets(address)
      .slice(0, parts - 1)
      .map(BigInt);
    const tail = address & (2n ** BigInt(8 * (5 - parts)) - 1n);
    return [...head, tail].map((value, i) => write[i]!(value)).join('.');
  });

const DOTS = ['.', '\u3002', '\uff0e', '\uff61', '%2e', '%E3%80%82'];
const DIGITS = [
  (digit: string) => digit,
  (digit: string) => String.fromCodePoint(0xff10 + Number(digit)),
  (digit: string) => String.fromCodePoint(0x1d7ce + Number(digit)),
  (digit: string) => `%3${digit}`,
];

/** Other characters that a URL's host reads as these. */
const disguised = (form: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(form, fc.array(fc.nat(), { minLength: 24, maxLength: 24 }), fc.constantFrom('', '.'))
    .map(
      ([text, choices, end]) =>
        Array.from(text)
          .map((char, i) => {
            const choice = choices[i % choices.length]!;
            if (char === '.') return DOTS[choice % DOTS.length];
            return /\d/.test(char) ? DIGITS[choice % DIGITS.length]!(char) : char;
          })
          .join('') + end,
    );

const embedded = fc
  .tuple(
    blockedV4,
    fc.constantFrom<(v4: bigint) => bigint>(
      (v4) => (0xffffn << 32n) | v4, // mapped
      (v4) => v4, // compatible
      (v4) => (0xffffn << 48n) | v4, // translated
      (v4) => (0x64ff9bn << 96n) | v4, // NAT64
      (v4) => (0x64ff9b0001n << 80n) | v4,
      (v4) => (0x2002n << 112n) | (v4 << 80n), // 6to4
      (v4) => (0x20010000n << 96n) | (v4 ^ 0xffffffffn), // Teredo
    ),
  )
  .map(([v4, embed]) => embed(v4));

/** Groups in hex, short or padded, with or without `::` and a dotted tail. */
const v6Form = (address: fc.Arbitrary<bigint>): fc.Arbitrary<string> =>
  fc
    .tuple(address, fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean())
    .map(([value, padded, dotted, squeezed, upper]) => {
      const hex = groups(value).map((group) => (padded ? group : group.replace(/^0+(?=.)/, '')));
      const tail = octets(value & 0xffffffffn).join('.');
      const parts = dotted ? [...hex.slice(0, 6), tail] : hex;
      const text = parts.join(':');
      const short = squeezed ? text.replace(/(?:^|:)0+(?::0+)+(?::|$)/, '::') : text;
      return `[${upper ? short.toUpperCase() : short}]`;
    });

const literal = fc.oneof(
  shortForms,
  disguised(shortForms),
  disguised(blockedV4.map((address) => octets(address).join('.'))),
  v6Form(blockedV6),
  v6Form(embedded),
);

const STRICT = {
  ...{ allowPrivateAddresses: false, allowAddresses: [], allowHosts: [], denyHosts: [] },
};
const guard = createAddressGuard(STRICT);

/** A URL's host without brackets. */
function hostOf(form: string): string {
  return new URL(`http://${form}/`).hostname.replace(/^\[(.+)\]$/, '$1');
}

afterEach(() => vi.restoreAllMocks());

test('no encoding of a blocked address reaches a socket', () => {
  const connect = vi.spyOn(net.Socket.prototype, 'connect');
  const lookup = vi.spyOn(dns, 'lookup');
  const connector = createConnector(guard, createSecureContext());
  fc.assert(
    fc.property(literal, (form) => {
      const hostname = hostOf(form);
      let reason: unknown;
      const socket = connector(
        destinationOf(new URL(`http://${form}/`), 'auto', undefined),
        (...result) => void ([reason] = result),
      );
      expect(net.isIP(hostname), `${form} is ${hostname}`).not.toBe(0);
      expect(reason, form).toMatchObject({ type: 'BlockedAddressError' });
      expect(socket).toBeUndefined();
    }),
    { numRuns: 30_000 },
  );
  expect(connect).not.toHaveBeenCalled();
  expect(lookup).not.toHaveBeenCalled();
});

test('no answer of a resolver is let through, whatever stands beside it', async () => {
  const blocked = fc.oneof(
    blockedV4.map((address) => octets(address).join('.')),
    fc.oneof(v6Form(blockedV6), v6Form(embedded)).map((form) => form.slice(1, -1)),
    v6Form(blockedV6).map((form) => `${form.slice(1, -1)}%eth0`),
  );
  let answers: dns.LookupAddress[] = [];
  vi.spyOn(dns, 'lookup').mockImplementation(((_host: string, _options: unknown, done: Function) =>
    process.nextTick(done, null, answers)) as never);
  const connector = createConnector(guard, createSecureContext());
  const good = { address: '8.8.8.8', family: 4 };
  const destination = destinationOf(new URL('http://x.test/'), 'auto', undefined);
  await fc.assert(
    fc.asyncProperty(blocked, fc.nat(3), async (address, position) => {
      const bad = { address, family: address.includes(':') ? 6 : 4 };
      answers = [good, good, good].toSpliced(position, 0, bad);
      const error = await new Promise((resolve) =>
        connector(destination, (...result) => resolve(result[0])),
      );
      expect(error, address).toMatchObject({ type: 'BlockedAddressError' });
    }),
    { numRuns: 3_000 },
  );
});

describe('through the transport', () => {
  const server = net.createServer((socket) => socket.destroy());
  let connections = 0;
  let port = 0;

  beforeAll(async () => {
    server.on('connection', () => connections++);
    server.listen(0);
    await once(server, 'listening');
    ({ port } = server.address() as net.AddressInfo);
  });
  afterAll(async () => {
    server.close();
    await once(server, 'close');
  });

  test('a listener on every address of the machine sees none', async () => {
    await using sender = new Sender(STRICT);
    // Addresses that would reach it.
    const here = fc.constantFrom('127.0.0.1', '127.1.2.3', '0.0.0.0').map(v4Number);
    const form = fc.oneof(
      disguised(here.map((address) => octets(address).join('.'))),
      v6Form(here.map((v4) => (0xffffn << 32n) | v4)),
      v6Form(fc.constantFrom(0n, 1n)),
      fc.constantFrom('localhost', 'LOCALHOST', 'ｌocalhost'),
    );
    await fc.assert(
      fc.asyncProperty(form, async (host) => {
        const error = await sender.fail({ url: `http://${host}:${port}/` });
        expect(error).toMatchObject({ type: 'BlockedAddressError', phase: 'connect' });
      }),
      { numRuns: 500 },
    );
    expect(connections).toBe(0);
    await using open = new Sender();
    await open.fail({ url: `http://127.0.0.1:${port}/` });
    expect(connections).toBe(1);
  });
});

test('what is public passes, whichever way it is written', () => {
  const isBlocked = (address: bigint): boolean =>
    rangesV4.some(
      ([base, length]) => address >> BigInt(32 - length) === base >> BigInt(32 - length),
    );
  const publicV4 = fc
    .bigInt({ min: 0n, max: 2n ** 32n - 1n })
    .filter((address) => !isBlocked(address));
  const publicV6 = fc
    .bigInt({ min: 0x2400n << 112n, max: (0x2c10n << 112n) - 1n })
    .filter((address) => address >> 80n !== 0x2620004f8000n);
  const form = fc.oneof(
    publicV4.map((address) => octets(address).join('.')),
    v6Form(publicV4.map((v4) => (0xffffn << 32n) | v4)),
    v6Form(publicV6),
  );
  fc.assert(
    fc.property(form, (host) => {
      expect(guard.checkHost(hostOf(host), 80)).toBeUndefined();
    }),
    { numRuns: 5_000 },
  );
});
