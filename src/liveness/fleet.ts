import type { HostSummary } from '../processor/summary.ts';
import { RedisConnection } from './redis-connection.ts';
import { keysOf } from './redis-keys.ts';

/** A process as its last renewal described it. */
export interface FleetProcess {
  id: string;
  host: string;
  pid: number;
  state: string;
  inFlight: number;
  total: number;
  maxConnections: number;
  /** ms until it counts as dead; negative when it does. */
  leaseLeft: number;
  hosts: HostSummary[];
}

/** All processes of a task queue, as Redis knows them: three reads, whatever is in flight. */
export async function readFleet(
  url: string,
  namespace: string,
  taskQueue: string,
): Promise<FleetProcess[]> {
  const { leases, processes } = keysOf(namespace, taskQueue);
  return RedisConnection.visit(url, async ({ redis }) => {
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
  });
}
