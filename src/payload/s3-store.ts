import type { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { PayloadError } from '../shared/errors.ts';
import type { PayloadStore, StoreAccess } from '../shared/payload-store.ts';

type Sdk = typeof import('@aws-sdk/client-s3');

/** What a check writes: no payload has this id. */
const CHECK = 'check';

/**
 * A bucket, with credentials and region as the AWS SDK finds them; `?endpoint=` is for stores that
 * only speak its protocol. Age is the matter of a lifecycle rule of the bucket.
 */
export class S3Store implements PayloadStore {
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
    await this.#use((sdk, client) =>
      client.send(new sdk.PutObjectCommand({ ...this.#object(id), Body: bytes })),
    );
  }

  async get(id: string): Promise<Uint8Array | undefined> {
    return this.#use(async (sdk, client) => {
      try {
        const { Body } = await client.send(new sdk.GetObjectCommand(this.#object(id)));
        return await Body?.transformToByteArray();
      } catch (error) {
        if (error instanceof sdk.NoSuchKey) return undefined;
        throw error;
      }
    });
  }

  /** As payloads are written and read: other rights on the bucket are not needed. */
  async check(access: StoreAccess): Promise<void> {
    if (access === 'write') await this.put(CHECK, new Uint8Array());
    try {
      await this.get(CHECK);
    } catch (error) {
      // Without the right to list, that is also said of what is not there.
      const cause = (error as Error).cause as Error | undefined;
      if (access === 'write' || cause?.name !== 'AccessDenied') throw error;
    }
  }

  #object(id: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + id };
  }

  async #use<T>(command: (sdk: Sdk, client: S3Client) => Promise<T>): Promise<T> {
    const { sdk, client } = await this.#open();
    try {
      return await command(sdk, client);
    } catch (error) {
      if (!(error instanceof sdk.S3ServiceException)) throw error;
      throw new Error(this.#reasonOf(error), { cause: error });
    }
  }

  /** Many of its answers have a status and no words. */
  #reasonOf({ name, message, $metadata, $response }: S3ServiceException): string {
    if (name === 'NoSuchBucket') return `there is no bucket ${this.#bucket}`;
    const { httpStatusCode: status } = $metadata;
    const said = `HTTP ${status}${message === 'UnknownError' ? '' : ` ${name}: ${message}`}`;
    const region = $response?.headers['x-amz-bucket-region'];
    if (region && (status === 301 || status === 400)) {
      return `${said}; the bucket is in ${region}: set AWS_REGION to that`;
    }
    if (status !== 403) return said;
    return `${said}; allow s3:PutObject and s3:GetObject for ${this.#bucket}/${this.#prefix}*`;
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
