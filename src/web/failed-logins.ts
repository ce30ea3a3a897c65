import { createHmac, randomBytes } from 'node:crypto';
import ipaddr from 'ipaddr.js';

/** Wrong credentials of one address in a window, after which it is not listened to until the next. */
const LIMIT = 20;
/** ms */
const WINDOW = 60_000;

/** Places for counts, whatever the number of addresses: those that share one share the limit. */
const PLACES = 2 ** 16;

/**
 * Keeps passwords from being guessed by the thousand. Browsers that have signed in before are counted
 * apart: behind a proxy all have one address, and who guesses there must not lock out the others.
 */
export class FailedLogins {
  /** Nobody can choose whose place he shares. */
  readonly #salt = randomBytes(16);
  readonly #counts = new Uint8Array(PLACES);
  #since = -Infinity;

  count(address: string, isKnown = false): void {
    this.#begin();
    const place = this.#placeOf(address, isKnown);
    this.#counts[place] = Math.min(this.#counts[place]! + 1, LIMIT);
  }

  /** Whole seconds for which this address is not listened to; 0 when it is. */
  wait(address: string, isKnown = false): number {
    this.#begin();
    if (this.#counts[this.#placeOf(address, isKnown)]! < LIMIT) return 0;
    return Math.max(1, Math.ceil((this.#since + WINDOW - performance.now()) / 1_000));
  }

  #begin(): void {
    if (performance.now() < this.#since + WINDOW) return;
    this.#since = performance.now();
    this.#counts.fill(0);
  }

  #placeOf(address: string, isKnown: boolean): number {
    const name = `${isKnown} ${networkOf(address)}`;
    return createHmac('sha256', this.#salt).update(name).digest().readUInt16BE();
  }
}

/** Of IPv6 a household has 2^64 addresses. */
function networkOf(address: string): string {
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString();
}
