import net from 'node:net';
import ipaddr from 'ipaddr.js';
import { RequestError, invalidRequest } from '../shared/errors.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Cidr = readonly [Address, number];

export interface AddressRules {
  allowPrivateAddresses: boolean;
  /** CIDRs (or single addresses) that are reachable all the same. */
  allowAddresses: readonly string[];
}

/** Undefined if `host` may be connected to at `address`, else why not. */
export type AddressGuard = (host: string, address: string) => RequestError | undefined;

/** The deprecated IPv4-compatible range, which ipaddr.js takes for ordinary unicast. */
const V4_COMPATIBLE = ipaddr.parseCIDR('::/96');

/**
 * Lets through what is globally routable: no loopback, private, link-local, metadata, multicast,
 * reserved or documentation range, and no IPv6 form that carries an IPv4 address inside.
 */
export function createAddressGuard(rules: AddressRules): AddressGuard {
  const allowed = rules.allowAddresses.map(parseCidr);
  return (host, address) => {
    if (rules.allowPrivateAddresses) return undefined;
    const ip = parseAddress(address);
    if (ip && (isPublic(ip) || allowed.some((cidr) => matches(ip, cidr)))) return undefined;
    const what = host === address ? `address ${address}` : `${host} is at ${address}, which`;
    return new RequestError('BlockedAddressError', `${what} is blocked (private or reserved)`, {
      phase: 'connect',
    });
  };
}

function isPublic(ip: Address): boolean {
  return ip.range() === 'unicast' && !matches(ip, V4_COMPATIBLE);
}

function matches(ip: Address, [network, bits]: Cidr): boolean {
  return ip.kind() === network.kind() && ip.match(network, bits);
}

/** By its bytes; a mapped IPv4 address is an IPv4 address. */
function parseAddress(text: string): Address | undefined {
  if (net.isIPv4(text)) return ipaddr.IPv4.parse(text);
  const [address = ''] = text.split('%'); // without its zone
  if (!net.isIPv6(address)) return undefined;
  // As hex, because ipaddr.js reads `::8.8.8.8` as if it were `::ffff:8.8.8.8`.
  const ip = ipaddr.IPv6.parse(new URL(`http://[${address}]`).hostname.slice(1, -1));
  return ip.isIPv4MappedAddress() ? ip.toIPv4Address() : ip;
}

function parseCidr(text: string): Cidr {
  const [address = '', bits] = text.split('/');
  const ip = parseAddress(address);
  const max = ip?.kind() === 'ipv4' ? 32 : 128;
  const length = bits === undefined ? max : /^\d+$/.test(bits) ? Number(bits) : Infinity;
  if (ip && length <= max) return [ip, length];
  throw invalidRequest(`allowAddresses: expected an address or CIDR, got ${text}`);
}
