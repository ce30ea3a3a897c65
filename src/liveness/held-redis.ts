import { KeptOutcomeError } from '../shared/errors.ts';
import { inTime } from '../shared/in-time.ts';
import type { Outcome } from '../shared/outcome.ts';
import type { RequestKey } from '../shared/request-key.ts';
import { GIVEN_LIFE, HELD_LIFE, nameOf, type OutcomeStore } from './held-outcomes.ts';
import type { OutcomeSeal } from './port.ts';
import type { RedisAccess } from './redis.ts';

/** ms for reading one; less than the activity has that asks for it. */
const PATIENCE = 45_000;

/**
 * One hash for each activity. Not fenced: whoever holds an outcome has seen it, and only the process
 * whose result Temporal takes names it to the workflow.
 */
export function createHeldRedis(access: () => RedisAccess, seal: OutcomeSeal): OutcomeStore {
  const at = (key: RequestKey) => {
    const { connection, keys } = access();
    return { redis: connection.redis, name: `${keys.prefix}held:${nameOf(key)}` };
  };
  const open = async (key: RequestKey, sealed: string): Promise<Outcome | KeptOutcomeError> => {
    const late = (): Error => new KeptOutcomeError('payloadStore, payloadCodecs: no answer');
    try {
      return (await inTime(seal.open(key, sealed), PATIENCE, late)) as Outcome;
    } catch (error) {
      if (error instanceof KeptOutcomeError) return error;
      throw error;
    }
  };
  return {
    async hold(key, outcomes) {
      const { redis, name } = at(key);
      for (const [index, outcome] of outcomes) {
        const sealed = await seal.seal({ ...key, index }, outcome, true);
        if (sealed === undefined) throw new Error('payloadStore: it does not take an outcome');
        // In one pipeline: a hash that a killed process has left is not there for ever.
        await Promise.all([
          redis.hset(name, String(index), sealed),
          redis.pexpire(name, HELD_LIFE),
        ]);
      }
    },

    async collect(key, positions, later) {
      const { redis, name } = at(key);
      const kept = new Set([...positions, ...later].map(String));
      const gone = (await redis.hkeys(name)).filter((position) => !kept.has(position));
      if (gone.length > 0) await redis.hdel(name, ...gone);
      const sealed = positions.length > 0 ? await redis.hmget(name, ...positions.map(String)) : [];
      const found = await Promise.all(
        positions.map(async (index, i): Promise<[number, Outcome | KeptOutcomeError][]> => {
          const text = sealed[i];
          return text ? [[index, await open({ ...key, index }, text)]] : [];
        }),
      );
      const all = new Map(found.flat());
      // What could not be read is asked for again.
      const isRead = ![...all.values()].some((outcome) => outcome instanceof KeptOutcomeError);
      if (later.length === 0 && isRead) await redis.pexpire(name, GIVEN_LIFE);
      return all;
    },
  };
}
