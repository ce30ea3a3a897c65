import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { ENCODED_PAYLOAD } from '../shared/constants.ts';
import { ConfigError, PayloadError } from '../shared/errors.ts';
import type { LargeBody, LargeJson } from '../shared/held-response.ts';
import { fromJson, type JsonPayload } from '../shared/json-payload.ts';
import type { PayloadStore, StoreAccess } from '../shared/payload-store.ts';
import { framed, type Bytes } from './bytes.ts';
import { ClaimCheck } from './claim-check.ts';
import { Compression } from './compression.ts';
import { Encryption, type EncryptionKey } from './encryption.ts';
import { FileStore } from './file-store.ts';
import { draftOf, metadataOf, payloadFrom, textOf, type Draft, type Step } from './payload.ts';
import { RedisStore } from './redis-store.ts';
import { S3Store } from './s3-store.ts';
import { dayOf, reasonOf } from './store.ts';

export interface PayloadOptions {
  compress: boolean;
  encryptionKeys: readonly EncryptionKey[];
  payloadStore?: string | PayloadStore | undefined;
  /** Bytes. */
  payloadThreshold: number;
  /** ms */
  payloadRetention?: number | undefined;
}

const DAY = 24 * 60 * 60 * 1000;
/** As Temporal's default converter has it. */
const JSON_PLAIN = { encoding: 'json/plain' };

/**
 * What stands between a process and Temporal: compress, encrypt, store; and back. Each step reads
 * what it would write, whether it is switched on or not, so that processes of one fleet can differ
 * while options are rolled out.
 */
export class PatientCodec implements PayloadCodec {
  /** Whether it does more than read what others wrote. */
  readonly writes: boolean;
  readonly #options: PayloadOptions;
  readonly #compression: Compression;
  readonly #encryption: Encryption;
  readonly #claimCheck: ClaimCheck;
  readonly #steps: readonly Step[];
  /** Of large bodies that have been let go of: all but the claim check is done. */
  readonly #wrapped = new WeakMap<LargeBody, Draft>();
  readonly #store: PayloadStore | undefined;
  readonly #retention: number | undefined;
  #checked: Promise<void> | undefined;

  constructor(options: PayloadOptions, leavesOthers = false, store = openStore(options)) {
    this.#options = options;
    this.#store = store;
    this.#retention = options.payloadRetention;
    this.writes = options.compress || options.encryptionKeys.length > 0 || !!this.#store;
    this.#compression = new Compression(options.compress);
    this.#encryption = new Encryption(options.encryptionKeys, leavesOthers);
    this.#claimCheck = new ClaimCheck(this.#store, options.payloadThreshold);
    this.#steps = [this.#compression, this.#encryption, this.#claimCheck];
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.all(payloads.map((payload) => this.#encode(payload, this.#steps)));
  }

  /** Of JSON that never stands in memory as a whole: of its large string there is one copy. */
  async encodeLarge(json: LargeJson): Promise<Payload> {
    const { body, isLast } = json;
    const wrapped = this.#wrapped.get(body) ?? (await this.#wrapLarge(json));
    // The body is gone; the store may not take at once what was made of it.
    if (isLast) this.#wrapped.set(body, wrapped);
    return payloadFrom(await this.#claimCheck.wrap(wrapped));
  }

  async #wrapLarge({ before, body, after, isLast }: LargeJson): Promise<Draft> {
    const [start, end] = [Buffer.from(before), Buffer.from(after)];
    const bytesOf = (pieces: () => Iterable<Uint8Array>): Bytes => ({
      length: start.length + body.jsonLength + end.length,
      *pieces() {
        yield start;
        yield* pieces();
        yield end;
      },
    });
    const data = bytesOf(() => body.jsonPieces());
    const compressed = await this.#compression.wrap({ metadata: metadataOf(JSON_PLAIN), data });
    const last = bytesOf(() => (isLast ? body.lastPieces() : body.jsonPieces()));
    const draft = compressed.data === data ? { ...compressed, data: last } : compressed;
    const encrypted = await this.#encryption.wrap(draft);
    return { ...encrypted, data: await framed(encrypted.data) };
  }

  /** For what must not depend on the store, because the store may be what is missing. */
  get withoutStore(): PayloadCodec {
    const steps = [this.#compression, this.#encryption];
    return {
      encode: (payloads) => Promise.all(payloads.map((payload) => this.#encode(payload, steps))),
      decode: (payloads) => this.decode(payloads),
    };
  }

  /** The first option in which another one does not do the same, and what each has there. */
  differenceFrom(other: PatientCodec): { option: keyof PayloadOptions; both: string } | undefined {
    const [mine, theirs] = [this.#options, other.#options];
    const both = (one: unknown, two: unknown): string =>
      `${String(one)} and ${one === two ? 'another of this name' : String(two)}`;
    if (mine.compress !== theirs.compress) {
      return { option: 'compress', both: both(mine.compress, theirs.compress) };
    }
    if (!haveSameKeys(mine, theirs)) {
      return { option: 'encryptionKeys', both: both(keyNames(mine), keyNames(theirs)) };
    }
    if (mine.payloadStore !== theirs.payloadStore) {
      const [one, two] = [this.#store?.name ?? 'none', other.#store?.name ?? 'none'];
      return { option: 'payloadStore', both: both(one, two) };
    }
    if (!this.#store) return undefined;
    const option = (['payloadThreshold', 'payloadRetention'] as const).find(
      (name) => mine[name] !== theirs[name],
    );
    return option && { option, both: both(mine[option] ?? 'none', theirs[option] ?? 'none') };
  }

  /** For codecs of the user's: what is encrypted with a key that is not ours is theirs to open. */
  around(codecs: PayloadCodec[]): PayloadCodec[] {
    if (codecs.length === 0) return [this];
    const lastWord: PayloadCodec = {
      encode: async (payloads) => payloads,
      // What they have not opened either.
      decode: (payloads) =>
        Promise.all(payloads.map((payload) => this.#encryption.unwrap(payload))),
    };
    const outermost = new PatientCodec(this.#options, true, this.#store);
    return [lastWord, ...codecs, outermost];
  }

  decode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.all(payloads.map((payload) => this.#decode(payload)));
  }

  /**
   * Asks the store whether it can be used, until it can.
   * @throws PayloadError
   */
  check(access: StoreAccess): Promise<void> {
    return (this.#checked ??= this.#check(access).catch((error: unknown) => {
      this.#checked = undefined;
      throw error;
    }));
  }

  async #check(access: StoreAccess): Promise<void> {
    try {
      await this.#store?.check?.(access);
    } catch (cause) {
      const message = `payloadStore: ${this.#store!.name} cannot be used: ${reasonOf(cause)}`;
      throw new PayloadError(message, { cause });
    }
  }

  /** Deletes what is older than `payloadRetention`, where the store does not do so by itself. */
  async expire(now = new Date()): Promise<void> {
    if (this.#retention === undefined) return;
    // Of the day that the retention reaches into nothing is deleted, nor for clocks that differ.
    await this.#store?.expire?.(dayOf(new Date(now.getTime() - this.#retention - DAY)));
  }

  async #encode(payload: Payload, steps: readonly Step[]): Promise<Payload> {
    if (textOf(payload, 'encoding') === ENCODED_PAYLOAD) return encodedIn(payload);
    const draft = draftOf(payload);
    const wrapped = await wrap(draft, steps);
    return wrapped === draft ? payload : payloadFrom(wrapped);
  }

  async #decode(payload: Payload): Promise<Payload> {
    // A worker without a codec of ours has handed it on.
    const isPassed = textOf(payload, 'encoding') === ENCODED_PAYLOAD;
    let unwrapped = isPassed ? encodedIn(payload) : payload;
    for (const step of this.#steps.toReversed()) unwrapped = await step.unwrap(unwrapped);
    return unwrapped;
  }
}

async function wrap(draft: Draft, steps: readonly Step[]): Promise<Draft> {
  let wrapped = draft;
  for (const step of steps) wrapped = await step.wrap(wrapped);
  return wrapped;
}

/** What a ready-made workflow hands on goes out as it came in: it is a payload of ours already. */
function encodedIn({ data }: Payload): Payload {
  return fromJson(JSON.parse(Buffer.from(data!).toString()) as JsonPayload);
}

/**
 * The data converter with our codec outermost: a user's converter and codecs make the payload, ours
 * compresses, encrypts and stores what they made. One that has it already stays as it is, and so does
 * one with codecs when there is nothing for ours to write: encrypted payloads are theirs to read.
 *
 * @throws ConfigError where the one that is there would not do what was asked for
 */
export function withCodec(
  converter: DataConverter | undefined,
  codec: PatientCodec,
): DataConverter {
  const codecs = converter?.payloadCodecs ?? [];
  if (codecs.length > 0 && !codec.writes) return converter!;
  const present = codecOf(converter);
  const difference = present?.differenceFrom(codec);
  if (difference) {
    const { option, both } = difference;
    throw new ConfigError(
      `${option}: expected the same of all plugins and workers that share a data converter, got ${both}`,
    );
  }
  if (present) return converter!;
  return { ...converter, payloadCodecs: codec.around(codecs) };
}

/** A codec of ours that holds all of a converter's, and the one of these that is the outermost. */
export interface HoldingCodec extends PayloadCodec {
  readonly held: PatientCodec | undefined;
}

export function codecOf(converter: DataConverter | undefined): PatientCodec | undefined {
  const [codec] = (converter?.payloadCodecs ?? []).flatMap((each) => {
    if (each instanceof PatientCodec) return [each];
    return (each as Partial<HoldingCodec>).held ?? [];
  });
  return codec;
}

function haveSameKeys(one: PayloadOptions, other: PayloadOptions): boolean {
  const [mine, theirs] = [one.encryptionKeys, other.encryptionKeys];
  return (
    mine.length === theirs.length &&
    mine.every(({ id, key }, i) => id === theirs[i]!.id && key.equals(theirs[i]!.key))
  );
}

function keyNames({ encryptionKeys }: PayloadOptions): string {
  return encryptionKeys.map(({ id }) => JSON.stringify(id)).join(', ') || 'none';
}

function openStore({ payloadStore, payloadRetention }: PayloadOptions): PayloadStore | undefined {
  if (typeof payloadStore !== 'string') return payloadStore;
  if (payloadStore.startsWith('file:')) return new FileStore(payloadStore);
  if (payloadStore.startsWith('s3:')) return new S3Store(payloadStore);
  return new RedisStore(payloadStore, payloadRetention);
}
