import { keyString, type RequestKey } from '../shared/request-key.ts';
import type { CancelledBy } from './port.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';

/** ms. A cancel can overtake its request by the time a full queue holds it back, rarely longer. */
export const CANCEL_FLAG_TTL = 10 * 60_000;

/** What became of a cancel: its owner has been told, hears of it when it is back, or there is none. */
export type Told = 'told' | 'deaf' | 'nobody';

const TOLD: readonly Told[] = ['nobody', 'deaf', 'told'];

/** Flags a request and tells its owner. A batch's item has no record of its own: its owner is told. */
export async function cancelInRedis(
  connection: RedisConnection,
  keys: RedisKeys,
  key: RequestKey,
  by: CancelledBy,
): Promise<Told> {
  const { index: _, ...owned } = key;
  const args = [keyString(key), CANCEL_FLAG_TTL, keys.prefix, by];
  return TOLD[Number(await connection.run('cancel', [keys.request(keyString(owned))], args))]!;
}
