import net from 'node:net';
import ipaddr from 'ipaddr.js';
import { RequestError, invalidRequest } from '../shared/errors.ts';
import { bareHost, hostMatcher } from './host-rules.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Cidr = readonly [Address, number];
/** `port` undefined: any. */
type Network = { cidr: Cidr; port: number | undefined };

export interface AddressRules {
  allowPrivateAddresses: boolean;
  /** CIDRs, single addresses and `address:port` that are reachable all the same. */
  allowAddresses: readonly string[];
  /** Hosts that are reachable at whatever address they have: names and `*.suffix`. */
  allowHosts: readonly string[];
  /** Hosts that are never reachable; wins over everything else. */
  denyHosts: readonly string[];
}

/** Both checks give undefined for what may be connected to, else why not. */
export interface AddressGuard {
  /**
   * A URL's host before anything is looked up: denied by its name, or a literal of a blocked
   * address. Behind a proxy, which looks names up itself, nothing more can be known of a target.
   */
  checkHost(host: string, port: number): RequestError | undefined;
  /** The address that `host` is about to be connected at. */
  checkAddress(host: string, address: string, port: number): RequestError | undefined;
}

/** All that is assigned to global unicast (RFC 4291 §2.4 by IANA); the rest leads nowhere public. */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');

/** Azure's platform services, metadata among them: a public address that every virtual machine has. */
const AZURE_PLATFORM = ipaddr.parseCIDR('168.63.129.16/32');

/**
 * Lets through what is globally routable: nothing of IANA's special-purpose registries (RFC 6890:
 * loopback, private, shared, link-local with its metadata services, documentation, benchmarks, …),
 * no multicast, and no IPv6 form that carries an IPv4 address inside.
 */
export function createAddressGuard(rules: AddressRules): AddressGuard {
  const networks = rules.allowAddresses.map(parseNetwork);
  const isAllowed = hostMatcher(rules.allowHosts);
  const isDenied = hostMatcher(rules.denyHosts);

  const checkAddress: AddressGuard['checkAddress'] = (host, address, port) => {
    if (rules.allowPrivateAddresses || isAllowed(host)) return undefined;
    const ip = parseAddress(address);
    const isOpen = (network: Network): boolean =>
      (network.port === undefined || network.port === port) && matches(ip!, network.cidr);
    if (ip && (isPublic(ip) || networks.some(isOpen))) return undefined;
    const what = host === address ? `address ${address}` : `${host} is at ${address}, which`;
    return blocked(`${what} is blocked (private or reserved)`);
  };

  return {
    checkAddress,
    checkHost(host, port) {
      if (isDenied(host)) return blocked(`host ${host} is denied (denyHosts)`);
      const literal = bareHost(host);
      return net.isIP(literal) ? checkAddress(literal, literal, port) : undefined;
    },
  };
}

function blocked(message: string): RequestError {
  return new RequestError('BlockedAddressError', message, { phase: 'connect' });
}

function isPublic(ip: Address): boolean {
  if (ip.range() !== 'unicast') return false;
  return ip.kind() === 'ipv6' ? matches(ip, GLOBAL_UNICAST) : !matches(ip, AZURE_PLATFORM);
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

function parseNetwork(text: string): Network {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+)):(\d+)$/.exec(text) ?? [];
  const address = bracketed ?? plain ?? text;
  return { cidr: parseCidr(address), port: port === undefined ? undefined : Number(port) };
}

function parseCidr(text: string): Cidr {
  const [address = '', bits] = text.split('/');
  const ip = parseAddress(address);
  const max = ip?.kind() === 'ipv4' ? 32 : 128;
  const length = bits === undefined ? max : /^\d+$/.test(bits) ? Number(bits) : Infinity;
  if (ip && length <= max) return [ip, length];
  throw invalidRequest(`allowAddresses: expected an address or CIDR, got ${text}`);
}
