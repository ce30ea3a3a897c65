import type { RedisConnection } from '../liveness/redis-connection.ts';
import type { RedisKeys } from '../liveness/redis-keys.ts';
import type { FleetProcess } from './port.ts';

/** All processes of a task queue, as Redis knows them: three reads, whatever is in flight. */
export async function readProcesses(
  { redis }: RedisConnection,
  { leases, processes }: RedisKeys,
): Promise<FleetProcess[]> {
  const [time, expiries, descriptions] = await Promise.all([
    redis.time(),
    redis.zrange(leases, '0', '-1', 'WITHSCORES'),
    redis.hgetall(processes),
  ]);
  const now = Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1000);
  return Object.entries(descriptions).map(([id, json]) => {
    const expiry = expiries[expiries.indexOf(id) + 1];
    const leaseLeft = expiries.includes(id) ? Number(expiry) - now : -1;
    return { id, leaseLeft, ...(JSON.parse(json) as Omit<FleetProcess, 'id' | 'leaseLeft'>) };
  });
}
