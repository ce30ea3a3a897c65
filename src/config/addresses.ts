import ipaddr from 'ipaddr.js';
import { z } from 'zod';

/** An address or CIDR, as a CIDR. */
export function network() {
  return z
    .string({ error: 'expected an address or CIDR' })
    .refine(isNetwork, { error: 'expected an address or CIDR such as 10.0.0.0/8' })
    .transform((text) => (text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`));
}

/** As {@link network}, or a single address with a port: `10.0.0.5:8080`, `[fd00::5]:8080`. */
export function networkOrPort() {
  const error = 'expected an address or CIDR such as 10.0.0.0/8';
  return z.string({ error }).transform((text, ctx) => {
    const parsed = network().safeParse(text);
    if (parsed.success) return parsed.data;
    if (isAddressWithPort(text)) return text;
    ctx.addIssue({ code: 'custom', message: error });
    return z.NEVER;
  });
}

/** A host name or `*.suffix`, in the form that a URL gives it: lower-case, IDN encoded. */
export function hostPattern() {
  const error = 'expected a host name such as api.example.com or *.example.com';
  return z.string({ error }).transform((text, ctx) => {
    const [, wildcard = '', name = ''] = /^(\*\.)?(.*)$/s.exec(text) ?? [];
    const host = hostOf(name);
    if (host !== undefined) return wildcard + host;
    ctx.addIssue({ code: 'custom', message: error });
    return z.NEVER;
  });
}

/** A host pattern, or an address or CIDR as a CIDR. */
export function hostOrNetwork() {
  const error = 'expected a host such as api.example.com or *.example.com, an address or CIDR';
  return z.string({ error }).transform((text, ctx) => {
    const parsed = [network(), hostPattern()].map((schema) => schema.safeParse(text));
    const accepted = parsed.find(({ success }) => success)?.data;
    if (accepted !== undefined) return accepted;
    ctx.addIssue({ code: 'custom', message: error });
    return z.NEVER;
  });
}

/** `host:port` to listen on; an IPv6 address in brackets. Port 0 is any free one. */
export function listenAddress() {
  const error = 'expected host:port such as 127.0.0.1:8080';
  return z.string({ error }).transform((text, ctx) => {
    const [, ipv6, name, digits] = /^(?:\[([\da-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(text) ?? [];
    const host = ipv6 ?? name;
    const port = Number(digits);
    if (host !== undefined && port <= 65_535 && (!ipv6 || ipaddr.IPv6.isValid(ipv6))) {
      return { host, port };
    }
    ctx.addIssue({ code: 'custom', message: error });
    return z.NEVER;
  });
}

/** `ipaddr` alone would also take `10` or `0x7f.1`. */
function isNetwork(text: string): boolean {
  const [address = '', ...prefix] = text.split('/');
  const wellFormed = address.includes(':') || ipaddr.IPv4.isValidFourPartDecimal(address);
  return wellFormed && (prefix.length ? ipaddr.isValidCIDR(text) : ipaddr.isValid(address));
}

function isAddressWithPort(text: string): boolean {
  const [, ipv6, ipv4 = '', port] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const isAddress = ipv6 === undefined ? isNetwork(`${ipv4}/32`) : isNetwork(`${ipv6}/128`);
  return isAddress && Number(port) >= 1 && Number(port) <= 65_535;
}

/** Undefined for what is no name: a URL, a port, an address (a rule by name cannot hold for it). */
function hostOf(name: string): string | undefined {
  const url = `http://${name}`;
  if (/[^\p{L}\p{M}\p{N}._-]/u.test(name) || !URL.canParse(url)) return undefined;
  const host = new URL(url).hostname.replace(/\.$/, '');
  return host.split('.').includes('') || ipaddr.isValid(host) ? undefined : host;
}
