import type { ResolvedOptions } from './config/options.ts';
import type { Ledger } from './flow/ledger.ts';
import { MemoryLedger } from './flow/memory.ts';
import { RedisLedger } from './flow/redis.ts';
import { HeldOutcomes } from './liveness/held-outcomes.ts';
import { createHeldRedis } from './liveness/held-redis.ts';
import { MemoryLiveness } from './liveness/memory.ts';
import type { Liveness } from './liveness/port.ts';
import { RedisLiveness, type RedisLivenessOptions } from './liveness/redis.ts';

export interface Stores {
  liveness: Liveness;
  ledger: Ledger;
  held: HeldOutcomes;
  redis?: RedisLiveness;
}

/** What processes share, or what one keeps to itself. */
export function createStores(
  { redisUrl, leaseTtl, taskQueue }: ResolvedOptions,
  context: Pick<RedisLivenessOptions, 'namespace' | 'releaseOrphan' | 'seal' | 'log'>,
): Stores {
  if (redisUrl === undefined) {
    const liveness = new MemoryLiveness();
    return { liveness, ledger: new MemoryLedger(), held: new HeldOutcomes() };
  }
  const redis = new RedisLiveness({ ...context, url: redisUrl, taskQueue, leaseTtl });
  const access = () => redis.access;
  const ledger = new RedisLedger({
    access,
    living: () => redis.living,
    leaseTtl,
    log: context.log,
  });
  const held = new HeldOutcomes(createHeldRedis(access, context.seal));
  return { liveness: redis, ledger, held, redis };
}
