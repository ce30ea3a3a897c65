import type { S3Client } from '@aws-sdk/client-s3';
import { PayloadError } from '../shared/errors.ts';
import type { Store } from './store.ts';

type Sdk = typeof import('@aws-sdk/client-s3');

/**
 * A bucket, with credentials and region as the AWS SDK finds them; `?endpoint=` is for stores that
 * only speak its protocol. Age is the matter of a lifecycle rule of the bucket.
 */
export class S3Store implements Store {
  readonly name: string;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #endpoint: string | undefined;
  #opened: Promise<{ sdk: Sdk; client: S3Client }> | undefined;

  constructor(url: string) {
    const { host, pathname, searchParams } = new URL(url);
    this.#bucket = host;
    this.#prefix = pathname.slice(1).replace(/\/*$/, pathname.length > 1 ? '/' : '');
    this.#endpoint = searchParams.get('endpoint') ?? undefined;
    this.name = `s3://${host}/${this.#prefix}`;
  }

  async put(id: string, bytes: Uint8Array): Promise<void> {
    const { sdk, client } = await this.#open();
    await client.send(new sdk.PutObjectCommand({ ...this.#object(id), Body: bytes }));
  }

  async get(id: string): Promise<Uint8Array | undefined> {
    const { sdk, client } = await this.#open();
    try {
      const { Body } = await client.send(new sdk.GetObjectCommand(this.#object(id)));
      return await Body?.transformToByteArray();
    } catch (error) {
      if (error instanceof sdk.NoSuchKey) return undefined;
      throw error;
    }
  }

  async check(): Promise<void> {
    const { sdk, client } = await this.#open();
    try {
      await client.send(new sdk.HeadBucketCommand({ Bucket: this.#bucket }));
    } catch (error) {
      // An answer without a body, so that its error has no words.
      if (error instanceof sdk.NotFound) {
        throw new Error(`there is no bucket ${this.#bucket}`, { cause: error });
      }
      throw error;
    }
  }

  #object(id: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + id };
  }

  #open(): Promise<{ sdk: Sdk; client: S3Client }> {
    return (this.#opened ??= load().then((sdk) => {
      const endpoint = this.#endpoint;
      const client = new sdk.S3Client({
        requestHandler: { connectionTimeout: 5_000, socketTimeout: 30_000 },
        ...(endpoint && { endpoint, forcePathStyle: true }),
      });
      return { sdk, client };
    }));
  }
}

async function load(): Promise<Sdk> {
  try {
    return await import('@aws-sdk/client-s3');
  } catch (cause) {
    throw new PayloadError('s3:// needs the package @aws-sdk/client-s3; install it', { cause });
  }
}
