import { Queue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';

export interface Jobs {
  redisUrl: string;
  queue: string;
  url: string;
  count: number;
}

/** Jobs that Redis takes at once. */
const BULK = 1_000;

/** Adds the jobs and waits for their results, as a caller who wants them does; ms from the start to each. */
export async function runJobs({ redisUrl, queue: name, url, count }: Jobs): Promise<number[]> {
  const connect = (): Redis => new Redis(redisUrl, { maxRetriesPerRequest: null });
  const queue = new Queue(name, { connection: connect() });
  const events = new QueueEvents(name, { connection: connect() });
  try {
    await events.waitUntilReady();
    const answered: number[] = [];
    let started = 0;
    const all = new Promise<void>((resolve, reject) => {
      events.on('failed', ({ failedReason }) => reject(new Error(failedReason)));
      events.on('completed', ({ returnvalue }) => {
        if ((returnvalue as unknown as { status: number }).status !== 200) return;
        answered.push(performance.now() - started);
        if (answered.length === count) resolve();
      });
    });
    started = performance.now();
    for (let added = 0; added < count; added += BULK) {
      const length = Math.min(BULK, count - added);
      const job = { name: 'get', data: { url }, opts: { attempts: 3 } };
      await queue.addBulk(Array<typeof job>(length).fill(job));
    }
    await all;
    return answered;
  } finally {
    await events.close();
    await queue.close();
  }
}
