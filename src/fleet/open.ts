import { RedisFlowAdmin } from '../flow/redis-admin.ts';
import { RedisConnection } from '../liveness/redis-connection.ts';
import { keysOf } from '../liveness/redis-keys.ts';
import { DEFAULT_TASK_QUEUE } from '../shared/constants.ts';
import type { Fleet } from './port.ts';
import { RedisFleet } from './redis.ts';
import { SCRIPTS } from './scripts.generated.ts';
import { RedisStatistics } from './statistics-redis.ts';

/** Whose processes: those of one queue in one namespace, which share a Redis. */
export interface FleetOptions {
  /** The workers' own. */
  redisUrl: string;
  /** Default `default`. */
  namespace?: string;
  /** Default `patient-http`. */
  taskQueue?: string;
}

/** ms after which a command without an answer has failed. */
const TIMEOUT = 5_000;

/**
 * The processes of a task queue, without being one of them.
 *
 * @example
 * await using fleet = await openFleet({ redisUrl: 'redis://localhost' });
 * console.log(await fleet.requests({ text: 'api.example.com' }));
 * @throws Error that names the address, never the password, when Redis cannot be used
 */
export async function openFleet({
  redisUrl: url,
  namespace = 'default',
  taskQueue = DEFAULT_TASK_QUEUE,
}: FleetOptions): Promise<Fleet & AsyncDisposable> {
  const connection = await RedisConnection.open({ url, timeout: TIMEOUT });
  connection.define(SCRIPTS);
  const keys = keysOf(namespace, taskQueue);
  const access = { connection, keys, owner: '' };
  const fleet = new RedisFleet({
    access: () => access,
    flow: new RedisFlowAdmin(connection, keys),
    statistics: new RedisStatistics(() => access),
  });
  return Object.assign(fleet, {
    async [Symbol.asyncDispose]() {
      connection.close();
    },
  });
}
