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
    if (ipaddr.isValid(address)) {
      const ip = ipaddr.process(address); // a mapped IPv4 address is judged as IPv4
      if (allowed.some((cidr) => matches(ip, cidr)) || isPublic(ip)) return undefined;
    }
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
  return ip.kind() === network.kind() && ip.match(network as never, bits);
}

function parseCidr(text: string): Cidr {
  try {
    if (text.includes('/')) return ipaddr.parseCIDR(text);
    const ip = ipaddr.parse(text);
    return [ip, ip.kind() === 'ipv4' ? 32 : 128];
  } catch {
    throw invalidRequest(`allowAddresses: expected an address or CIDR, got ${text}`);
  }
}
