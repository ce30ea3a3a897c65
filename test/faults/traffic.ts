import { setTimeout as delay } from 'node:timers/promises';
import type { TemporalServer } from '../../src/testing/temporal-server.ts';
import type { RedisServer } from '../support/redis.ts';

export interface Traffic extends Counts {
  /** How long it was measured. */
  ms: number;
}

interface Counts {
  /** Scripts that Redis was asked to run. */
  scripts: number;
  /** Bytes that Redis received. */
  bytes: number;
  /** RecordActivityTaskHeartbeat calls to Temporal. */
  heartbeats: number;
}

/** What goes to Redis and Temporal in so many ms, as they count it. */
export async function measureTraffic(
  redis: RedisServer,
  temporal: TemporalServer,
  ms: number,
): Promise<Traffic> {
  const started = performance.now();
  const before = await count(redis, temporal);
  await delay(ms);
  const after = await count(redis, temporal);
  return {
    ms: Math.round(performance.now() - started),
    scripts: after.scripts - before.scripts,
    bytes: after.bytes - before.bytes,
    heartbeats: after.heartbeats - before.heartbeats,
  };
}

async function count({ redis }: RedisServer, { metricsUrl }: TemporalServer): Promise<Counts> {
  const [info, response] = await Promise.all([redis.info('everything'), fetch(metricsUrl!)]);
  const number = (pattern: RegExp): number => Number(pattern.exec(info)?.[1] ?? 0);
  const requests = [...(await response.text()).matchAll(/^service_requests\{(.*)\} (\S+)$/gm)];
  const heartbeats = requests
    .filter(([, labels = '']) => labels.includes('operation="RecordActivityTaskHeartbeat"'))
    .filter(([, labels = '']) => labels.includes('service_name="frontend"'));
  return {
    scripts: number(/^cmdstat_evalsha:calls=(\d+)/m) + number(/^cmdstat_fcall:calls=(\d+)/m),
    bytes: number(/^total_net_input_bytes:(\d+)/m),
    heartbeats: heartbeats.reduce((sum, [, , value]) => sum + Number(value), 0),
  };
}
