import type { RedisConnection } from '../liveness/redis-connection.ts';
import type { RedisKeys } from '../liveness/redis-keys.ts';
import { keyFromString } from '../shared/request-key.ts';
import type { KeptOutcome } from './port.ts';

/** Keys of Redis looked at in one step, and most steps: other users' keys are passed over too. */
const STEP = 1_000;
const MAX_STEPS = 100;

/** Outcomes in records whose owner is gone: they wait for their next attempt, at most for a day. */
export async function keptByTheDead(
  connection: RedisConnection,
  keys: RedisKeys,
  limit: number,
): Promise<KeptOutcome[]> {
  const prefix = keys.request('');
  const pattern = `${prefix.replaceAll(/[\\*?[\]]/g, '\\$&')}*`;
  const kept = new Map<string, KeptOutcome>();
  let cursor = '0';
  for (let step = 0; step < MAX_STEPS && kept.size < limit; step++) {
    const [next, found] = await connection.redis.scan(cursor, 'MATCH', pattern, 'COUNT', STEP);
    if (found.length > 0) {
      const rows = (await connection.run('kept', [keys.leases], [prefix, ...found])) as string[][];
      for (const [id, method, host, path] of rows as [string, string, string, string][]) {
        kept.set(id, { key: keyFromString(id), method, host, path, process: undefined });
      }
    }
    cursor = next;
    if (cursor === '0') break;
  }
  return [...kept.values()].slice(0, limit);
}
