import { Client, Connection } from '@temporalio/client';
import { Redis } from 'ioredis';
import { startRedisServer } from '../src/testing/redis-server.ts';
import { startTemporalServer } from '../src/testing/temporal-server.ts';
import { startPeer, type Peer } from './peer.ts';
import type { driver as driverMethods } from './peers/driver.ts';
import type { target as targetMethods } from './peers/target.ts';

export type Driver = Peer<typeof driverMethods>;
export type Target = Peer<typeof targetMethods>;

/** What all systems share in a run; each part is a process of its own. */
export interface Environment extends AsyncDisposable {
  temporalAddress: string;
  /** Of the Temporal server, for Prometheus. */
  metricsUrl: string;
  /** To look at what has happened, not to make it happen. */
  client: Client;
  redis: Redis;
  redisUrl: string;
  target: Target;
  /** `http://127.0.0.1:<port>` */
  origin: string;
  driver: Driver;
  /** Queue of the driver's workflows. */
  driverQueue: string;
}

export async function startEnvironment(): Promise<Environment> {
  const started: AsyncDisposable[] = [];
  const keep = <T extends AsyncDisposable>(part: T): T => {
    started.unshift(part);
    return part;
  };
  const stop = async (): Promise<void> => {
    for (const part of started) await part[Symbol.asyncDispose]();
  };
  try {
    const { address, metricsUrl = '' } = keep(await startTemporalServer({ metrics: true }));
    const { url: redisUrl } = keep(await startRedisServer());
    const redis = new Redis(redisUrl);
    keep({ [Symbol.asyncDispose]: async () => redis.disconnect() });
    const connection = await Connection.connect({ address });
    keep({ [Symbol.asyncDispose]: () => connection.close() });
    const target = keep(await startPeer<typeof targetMethods>('target'));
    const origin = await target.call('start');
    const driver = keep(await startPeer<typeof driverMethods>('driver'));
    const driverQueue = 'bench';
    await driver.call('start', { address, taskQueue: driverQueue });
    return {
      ...{ temporalAddress: address, metricsUrl, client: new Client({ connection }) },
      ...{ redis, redisUrl, target, origin, driver, driverQueue, [Symbol.asyncDispose]: stop },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
