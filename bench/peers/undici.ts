import { Agent, request } from 'undici';
import { serve } from '../peer.ts';

const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

/** No Temporal: what the HTTP calls themselves cost. */
export const undici = {
  async fanOut({ url, count }: { url: string; count: number }): Promise<number> {
    const statuses = await Promise.all(Array.from({ length: count }, () => get(url)));
    return statuses.filter((status) => status === 200).length;
  },
};

async function get(url: string): Promise<number> {
  const { statusCode, body } = await request(url, { dispatcher });
  await body.text();
  return statusCode;
}

serve(undici);
