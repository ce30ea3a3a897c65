import { SECRET_NAME } from '../shared/constants.ts';
import { invalidRequest, RequestError } from '../shared/errors.ts';
import type { SecretRef } from '../shared/wire.ts';
import { Redaction } from './redaction.ts';
import type { SecretSource } from './secret-source.ts';

/**
 * A shorter value would be found in responses where nobody has put it; a longer one does not fit
 * into a header.
 */
const LENGTHS = [8, 8192] as const;

/** The secrets of one try. Each is asked for once, and whatever was given is redacted from then on. */
export class Secrets {
  readonly redaction = new Redaction();
  readonly #source: SecretSource;
  readonly #asked = new Map<string, Promise<string>>();

  constructor(source: SecretSource) {
    this.#source = source;
  }

  /** @throws RequestError `SecretNotFoundError` and others; none holds the value */
  value(name: string): Promise<string> {
    if (!SECRET_NAME.test(name)) {
      return Promise.reject(
        invalidRequest(`$secret: expected a name, got ${JSON.stringify(name)}`),
      );
    }
    let asked = this.#asked.get(name);
    if (!asked) this.#asked.set(name, (asked = this.#ask(name)));
    return asked;
  }

  /** What stands in the place of the reference. */
  async resolve({ $secret: name, prefix = '', username }: SecretRef): Promise<string> {
    const value = await this.value(name);
    if (username === undefined) return prefix + value;
    return `Basic ${this.#hideBasic(name, username, value)}`;
  }

  /** Credentials within a URL that is a secret. */
  hideUserinfo(name: string, url: URL): void {
    const [username, password] = [url.username, url.password].map(decodeURIComponent);
    if (!username && !password) return;
    this.#hideBasic(name, username!, password!);
    if (password!.length >= LENGTHS[0]) this.redaction.add(name, password!);
  }

  #hideBasic(name: string, username: string, password: string): string {
    const credentials = Buffer.from(`${username}:${password}`).toString('base64');
    this.redaction.add(name, credentials);
    return credentials;
  }

  async #ask(name: string): Promise<string> {
    const value: unknown = await this.#lookUp(name);
    if (value === undefined || value === null) {
      throw new RequestError('SecretNotFoundError', `secret ${name} is not known to the worker`);
    }
    const [min, max] = LENGTHS;
    if (typeof value !== 'string' || value.length < min || value.length > max) {
      const got = typeof value === 'string' ? `${value.length}` : `a ${typeof value}`;
      throw invalidRequest(`secret ${name}: expected ${min} to ${max} characters, got ${got}`);
    }
    this.redaction.add(name, value);
    return value;
  }

  async #lookUp(name: string): Promise<unknown> {
    try {
      return await this.#source(name);
    } catch (cause) {
      // Its message is somebody else's, and could hold what we do not know yet.
      const { code, name: kind = 'error' } = Object(cause) as { code?: unknown; name?: string };
      const what = typeof code === 'string' ? code : kind;
      throw new RequestError('UnknownError', `secret ${name} could not be read (${what})`, {
        transient: true,
      });
    }
  }
}
