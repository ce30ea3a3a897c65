import { createHash, scryptSync, timingSafeEqual } from 'node:crypto';

/** Who may look and change; what is not set does not let in. */
export interface Credentials {
  /** Of HTTP Basic. */
  user: string;
  password: string | undefined;
  /** Of `Authorization: Bearer`. */
  token: string | undefined;
}

const DEFAULT_USER = 'patient';

/** `PATIENT_DASHBOARD_PASSWORD` or `_TOKEN`, or both; `PATIENT_DASHBOARD_USER` goes with the first. */
export function credentialsOf(env: NodeJS.ProcessEnv): Credentials | undefined {
  const password = env['PATIENT_DASHBOARD_PASSWORD'] || undefined;
  const token = env['PATIENT_DASHBOARD_TOKEN'] || undefined;
  if (password === undefined && token === undefined) return undefined;
  return { user: env['PATIENT_DASHBOARD_USER'] || DEFAULT_USER, password, token };
}

type Refusal = 'sign-in' | 'read-only' | 'forged' | 'host';

/** Who may do what. Without credentials everybody who reaches the port may look, and nobody change. */
export class Access {
  readonly canChange: boolean;
  /** In every form. The same in all processes with the same credentials, and over restarts. */
  readonly token: string | undefined;
  /** For a browser that has signed in, to be known by. As long-lived as the token. */
  readonly mark: string | undefined;
  /** Digests of the values of `Authorization` that let in. */
  readonly #admitted: Buffer[] = [];

  constructor(credentials: Credentials | undefined) {
    this.canChange = credentials !== undefined;
    if (!credentials) return;
    const { user, password, token } = credentials;
    if (password !== undefined) {
      const pair = Buffer.from(`${user}:${password}`).toString('base64');
      this.#admitted.push(digest(`basic ${pair}`));
    }
    if (token !== undefined) this.#admitted.push(digest(`bearer ${token}`));
    // Slow to guess backwards: pages are saved, and screens are shared.
    const secret = JSON.stringify([user, password, token]);
    const derived = (use: string): string =>
      scryptSync(secret, `patient-http dashboard ${use}`, 24).toString('base64url');
    this.token = derived('form');
    this.mark = derived('mark');
  }

  /** Undefined lets the request go on; a change also has to pass {@link refuseChange}. */
  refuse(headers: Headers): Refusal | undefined {
    if (!this.canChange) return isLocal(headers.get('host')) ? undefined : 'host';
    return this.#isAdmitted(headers) ? undefined : 'sign-in';
  }

  /** Whether a browser shows the mark of one that has signed in with these credentials. */
  isKnown(mark: string | undefined): boolean {
    if (mark === undefined || this.mark === undefined) return false;
    return timingSafeEqual(digest(mark), digest(this.mark));
  }

  /**
   * A browser sends Basic credentials with whatever any page makes it send: a change has to come
   * from our own page and carry its token. A Bearer token is never sent by itself.
   */
  refuseChange(headers: Headers, token: unknown): Refusal | undefined {
    if (!this.canChange) return 'read-only';
    if (/^bearer /i.test(headers.get('authorization') ?? '')) return undefined;
    if (!isOurOwn(headers) || typeof token !== 'string') return 'forged';
    return timingSafeEqual(digest(token), digest(this.token!)) ? undefined : 'forged';
  }

  #isAdmitted(headers: Headers): boolean {
    const [, scheme = '', value = ''] =
      /^(\w+) +(\S+)$/.exec(headers.get('authorization') ?? '') ?? [];
    const given = digest(`${scheme.toLowerCase()} ${value}`);
    // All of them, so that the time does not tell which one came close.
    return this.#admitted.filter((admitted) => timingSafeEqual(given, admitted)).length > 0;
  }
}

/** Digests have one length, which the comparison wants. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** By Sec-Fetch-Site, which pages cannot forge; by Origin where a browser does not send that. */
export function isOurOwn(headers: Headers): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site === 'same-origin';
  const origin = headers.get('origin');
  if (origin === null || !URL.canParse(origin)) return false;
  // The scheme may differ: a proxy may have taken TLS off.
  return new URL(origin).host === headers.get('host');
}

/**
 * Without credentials only this machine's own names are answered: behind a name that an attacker has
 * rebound to 127.0.0.1 a page of his would be of the same origin to the browser.
 */
export function isLocal(host: string | null): boolean {
  if (host === null || !URL.canParse(`http://${host}`)) return false;
  return isLoopback(new URL(`http://${host}`).hostname);
}

/** As in a URL or as an address to listen on. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}
