import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';
import { PayloadError } from '../shared/errors.ts';
import type { PayloadStore } from '../shared/payload-store.ts';
import { ClaimCheck } from './claim-check.ts';
import { Compression } from './compression.ts';
import { Encryption, type EncryptionKey } from './encryption.ts';
import { FileStore } from './file-store.ts';
import type { Step } from './payload.ts';
import { RedisStore } from './redis-store.ts';
import { S3Store } from './s3-store.ts';
import { dayOf, reasonOf, type Store } from './store.ts';

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

/**
 * What stands between a process and Temporal: compress, encrypt, store; and back. Each step reads
 * what it would write, whether it is switched on or not, so that processes of one fleet can differ
 * while options are rolled out.
 */
export class PatientCodec implements PayloadCodec {
  /** Whether it does more than read what others wrote. */
  readonly writes: boolean;
  readonly #steps: readonly Step[];
  readonly #store: Store | undefined;
  readonly #retention: number | undefined;
  #checked: Promise<void> | undefined;

  constructor(options: PayloadOptions) {
    this.#store = openStore(options);
    this.#retention = options.payloadRetention;
    this.writes = options.compress || options.encryptionKeys.length > 0 || !!this.#store;
    this.#steps = [
      new Compression(options.compress),
      new Encryption(options.encryptionKeys),
      new ClaimCheck(this.#store, options.payloadThreshold),
    ];
  }

  encode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.all(payloads.map((payload) => this.#encode(payload)));
  }

  decode(payloads: Payload[]): Promise<Payload[]> {
    return Promise.all(payloads.map((payload) => this.#decode(payload)));
  }

  /**
   * Asks the store once whether it can be used.
   * @throws PayloadError
   */
  check(): Promise<void> {
    return (this.#checked ??= this.#check());
  }

  async #check(): Promise<void> {
    try {
      await this.#store?.check?.();
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

  async #encode(payload: Payload): Promise<Payload> {
    let wrapped = payload;
    for (const step of this.#steps) wrapped = await step.wrap(wrapped);
    return wrapped;
  }

  async #decode(payload: Payload): Promise<Payload> {
    let unwrapped = payload;
    for (const step of this.#steps.toReversed()) unwrapped = await step.unwrap(unwrapped);
    return unwrapped;
  }
}

/**
 * The data converter with our codec outermost: a user's converter and codecs make the payload, ours
 * compresses, encrypts and stores what they made. One that has it already stays as it is, and so does
 * one with codecs when there is nothing for ours to write: encrypted payloads are theirs to read.
 */
export function withCodec(
  converter: DataConverter | undefined,
  codec: PatientCodec,
): DataConverter {
  const codecs = converter?.payloadCodecs ?? [];
  if (codecOf(converter) || (codecs.length > 0 && !codec.writes)) return converter!;
  return { ...converter, payloadCodecs: [...codecs, codec] };
}

export function codecOf(converter: DataConverter | undefined): PatientCodec | undefined {
  return converter?.payloadCodecs?.find((codec) => codec instanceof PatientCodec);
}

function openStore({ payloadStore, payloadRetention }: PayloadOptions): Store | undefined {
  if (typeof payloadStore !== 'string') return payloadStore;
  if (payloadStore.startsWith('file:')) return new FileStore(payloadStore);
  if (payloadStore.startsWith('s3:')) return new S3Store(payloadStore);
  return new RedisStore(payloadStore, payloadRetention);
}
