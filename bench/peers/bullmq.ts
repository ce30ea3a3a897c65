import { Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { Agent, request } from 'undici';
import { serve } from '../peer.ts';

export interface BullMqOptions {
  redisUrl: string;
  queue: string;
  concurrency: number;
}

const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

/** A BullMQ job that makes the request; undici's `request`, which is cheaper than `fetch`. */
export const bullmq = {
  async start({ redisUrl, queue, concurrency }: BullMqOptions): Promise<void> {
    const connection = new Redis(redisUrl, { maxRetriesPerRequest: null });
    const worker = new Worker(queue, ({ data }: { data: { url: string } }) => get(data.url), {
      ...{ connection, concurrency },
      removeOnComplete: { count: 0 },
    });
    await worker.waitUntilReady();
  },
};

async function get(url: string) {
  const { statusCode: status, headers, body } = await request(url, { dispatcher });
  return { status, headers, url, body: await body.text() };
}

serve(bullmq);
