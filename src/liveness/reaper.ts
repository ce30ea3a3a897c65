import type { Log } from '../shared/log.ts';
import { keyFromString } from '../shared/request-key.ts';
import type { Outcome } from '../shared/wire.ts';
import type { ReleaseOrphan } from './port.ts';
import { toAttempt } from './redis-attempt.ts';
import type { RedisConnection } from './redis-connection.ts';
import { ORPHAN_LIFE, type RedisKeys } from './redis-keys.ts';

/** Most requests taken from dead processes at once. */
const BATCH = 200;

interface ReapContext {
  connection: RedisConnection;
  keys: RedisKeys;
  owner: string;
  log: Log;
  releaseOrphan: ReleaseOrphan;
  /** False once this process stops. */
  go: () => boolean;
  /** Ids of orphans in the hands of this process. */
  orphans: Set<string>;
}

type Claim = [untilNext: number, ...orphans: [string, string, string, string, string][]];

/**
 * Takes the requests of processes whose lease has expired to Temporal, a batch at a time. They
 * stay under this process's lease until that is done. Gives the ms until the next lease expires.
 */
export async function reap(context: ReapContext): Promise<number | undefined> {
  const { connection, keys, owner, orphans, log } = context;
  for (let total = 0; ;) {
    const [untilNext, ...claimed] = (await connection.run(
      'claim',
      [keys.leases, keys.processes, keys.records(owner)],
      [owner, BATCH, keys.prefix],
    )) as Claim;
    total += claimed.length;
    for (const [id] of claimed) orphans.add(id);
    await Promise.all(claimed.map((orphan) => release(context, orphan)));
    if (claimed.length === 0 || claimed.length < BATCH) {
      if (total > 0) log.info('Took over the requests of a process that is gone', { total });
      return untilNext < 0 ? undefined : untilNext;
    }
  }
}

async function release(
  { connection, keys, owner, orphans, releaseOrphan, go }: ReapContext,
  [id, number, scheduledAt, token, outcome]: [string, string, string, string, string],
): Promise<void> {
  const attempt = toAttempt(Number(number), Number(scheduledAt), token);
  const kept = outcome === '' ? undefined : (JSON.parse(outcome) as Outcome);
  const recordKeys = [keys.request(id), keys.records(owner)];
  try {
    const done = await releaseOrphan({ key: keyFromString(id), attempt, outcome: kept }, go);
    // Given up half-way: it stays under this process's lease, which is about to end.
    if (!go()) return;
    if (done) await connection.run('release', recordKeys, [owner, id, number, scheduledAt]);
    else await connection.run('disown', recordKeys, [owner, id, ORPHAN_LIFE]);
  } finally {
    orphans.delete(id);
  }
}
