import type { ResolvedOptions } from '../../config/options.ts';
import { RedisConnection } from '../../liveness/redis-connection.ts';
import { describeFailure } from '../failure.ts';
import { clock, ok, problem, warning, type Check } from './check.ts';

/** ms after which a command without an answer has failed. */
const TIMEOUT = 5_000;
const PINGS = 5;
/** ms: two calls a request, three for one that may not be sent again. */
const SLOW = 20;
/** ZRANGE BYSCORE and ZMSCORE. */
const OLDEST = [6, 2] as const;

type Redis = RedisConnection['redis'];

export async function checkRedis({ redisUrl, leaseTtl }: ResolvedOptions): Promise<Check[]> {
  if (redisUrl === undefined) {
    return [
      warning(
        'redis',
        'none: crashes are found by heartbeats alone, and outcomes in hand die with their process',
        'set PATIENT_REDIS_URL, for this command and for the workers',
      ),
    ];
  }
  let connection: RedisConnection;
  try {
    connection = await RedisConnection.open({ url: redisUrl, timeout: TIMEOUT });
  } catch (error) {
    return [problem('redis', describeFailure(error), 'start it, or correct PATIENT_REDIS_URL')];
  }
  try {
    return await ask(connection.redis, leaseTtl);
  } catch (error) {
    const fix = 'let its user run INFO, TIME and PING';
    return [problem('redis', `it does not tell about itself: ${describeFailure(error)}`, fix)];
  } finally {
    connection.close();
  }
}

async function ask(redis: Redis, leaseTtl: number): Promise<Check[]> {
  const info = parse(await redis.info());
  return [
    checkVersion(info),
    checkRole(info),
    checkEviction(info),
    await checkPersistence(redis, info),
    await checkLatency(redis, leaseTtl),
    await checkClock(redis),
  ];
}

function checkVersion(info: Map<string, string>): Check {
  const version = info.get('redis_version') ?? 'unknown';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isOld = major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
  if (!isOld) return ok('redis', `version ${version}`);
  return problem('redis', `version ${version}`, `Patient HTTP needs Redis ${OLDEST.join('.')}`);
}

function checkRole(info: Map<string, string>): Check {
  if (info.get('role') === 'slave') {
    return problem('redis role', 'a replica', 'name the primary in PATIENT_REDIS_URL');
  }
  return ok('redis role', 'primary');
}

/** An evicted record is an orphan that nobody finds, an evicted outcome is paid for twice. */
function checkEviction(info: Map<string, string>): Check {
  const policy = info.get('maxmemory_policy') ?? 'unknown';
  if (policy === 'noeviction') return ok('redis eviction', policy);
  return problem(
    'redis eviction',
    `maxmemory-policy is ${policy}: records and kept outcomes can be thrown away`,
    'CONFIG SET maxmemory-policy noeviction, and the same in redis.conf',
  );
}

async function checkPersistence(redis: Redis, info: Map<string, string>): Promise<Check> {
  const name = 'redis persistence';
  if (info.get('aof_enabled') === '1') return ok(name, 'append-only file');
  // Managed ones forbid the question.
  const [, save] = (await redis.config('GET', 'save').catch(() => [])) as string[];
  const fix = 'CONFIG SET appendonly yes, and the same in redis.conf';
  if (save === '') {
    return warning(name, 'none: a restart of Redis loses kept outcomes and flow limits', fix);
  }
  return warning(name, 'snapshots only: a restart loses what came after the last one', fix);
}

async function checkLatency(redis: Redis, leaseTtl: number): Promise<Check> {
  const times: number[] = [];
  for (let i = 0; i < PINGS; i++) {
    const start = performance.now();
    await redis.ping();
    times.push(performance.now() - start);
  }
  const median = times.toSorted((a, b) => a - b)[Math.floor(PINGS / 2)]!;
  const message = `${median.toFixed(1)} ms from here`;
  const fix = 'put it near the workers: a request takes two or three calls, and a lease needs them';
  if (median > leaseTtl / 3) return problem('redis latency', message, fix);
  return median > SLOW ? warning('redis latency', message, fix) : ok('redis latency', message);
}

async function checkClock(redis: Redis): Promise<Check> {
  const start = Date.now();
  const [seconds, micros] = await redis.time();
  const middle = (start + Date.now()) / 2;
  return clock('redis clock', Number(seconds) * 1000 + Number(micros) / 1000 - middle);
}

/** `name:value` lines of INFO. */
function parse(info: string): Map<string, string> {
  const pairs = info.matchAll(/^(\w+):(.*?)\r?$/gm);
  return new Map(Array.from(pairs, ([, name = '', value = '']) => [name, value]));
}
