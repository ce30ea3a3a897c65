import { Agent, request } from 'undici';
import { serve } from '../peer.ts';

const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

export interface UndiciCalls {
  url: string;
  count: number;
  /** At once. @default all of them */
  concurrency?: number;
}

/** No Temporal: what the HTTP calls themselves cost. */
export const undici = {
  /** ms from the start to each answer with 200. */
  async fanOut({ url, count, concurrency = count }: UndiciCalls): Promise<number[]> {
    const started = performance.now();
    const answered: number[] = [];
    let left = count;
    const lane = async (): Promise<void> => {
      while (left-- > 0) {
        // A kept connection can be closed just as it is used: everybody tries again then.
        if ((await get(url).catch(() => get(url))) === 200)
          answered.push(performance.now() - started);
      }
    };
    await Promise.all(Array.from({ length: Math.min(count, concurrency) }, lane));
    return answered;
  },
};

async function get(url: string): Promise<number> {
  const { statusCode, body } = await request(url, { dispatcher });
  await body.text();
  return statusCode;
}

serve(undici);
