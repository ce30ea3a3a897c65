import dns from 'node:dns';
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { AddressGuard } from './address-guard.ts';

type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

type Check = (host: string, address: string) => ReturnType<AddressGuard['checkAddress']>;

/**
 * Makes `dns.lookup`s that fail if any one of the answers does not pass. Lookups of a name that are
 * under way are shared: getaddrinfo has four threads, and a burst to one host would hold all of them.
 */
export function checkedLookups(): (check: Check) => LookupFunction {
  const underWay = new Map<string, Answer[]>();

  const lookup = (host: string, options: dns.LookupOptions, answer: Answer): void => {
    const key = `${host} ${options.family ?? 0} ${options.hints ?? 0}`;
    const waiting = underWay.get(key);
    if (waiting) {
      waiting.push(answer);
      return;
    }
    const answers = [answer];
    underWay.set(key, answers);
    dns.lookup(host, { ...options, all: true }, (error, addresses) => {
      underWay.delete(key);
      for (const each of answers) each(error, addresses);
    });
  };

  return (check) => (host, options, callback) => {
    lookup(host, options, (error, addresses) => {
      if (error) return callback(error, '');
      for (const { address } of addresses) {
        const blocked = check(host, address);
        if (blocked) return callback(blocked, '');
      }
      if (options.all) callback(null, addresses);
      else callback(null, addresses[0]!.address, addresses[0]!.family);
    });
  };
}
