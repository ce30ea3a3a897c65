import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, vi } from 'vitest';
import type { Orphan, OutcomeSeal, OwnerEvents } from '../../src/liveness/port.ts';
import { RedisLiveness } from '../../src/liveness/redis.ts';
import type { Attempt } from '../../src/shared/attempt.ts';
import type { RequestKey } from '../../src/shared/request-key.ts';
import type { Outcome } from '../../src/shared/outcome.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

export const TTL = 1_500;
/** Nothing of an outcome may be in Redis but what the seal makes of it. */
export const seal: OutcomeSeal = {
  seal: async (key, outcome) => `sealed ${key.workflowId} ${JSON.stringify(outcome)}`,
  open: async (key, sealed) => JSON.parse(sealed.slice(`sealed ${key.workflowId} `.length)),
};
export const quiet = { debug() {}, info() {}, warn() {}, error() {} };

/** One for the file that imports this. */
export let server: RedisServer;

beforeAll(async () => {
  server = await startRedis({ persistent: true });
});
afterAll(() => server?.[Symbol.asyncDispose]());

/** A process as the store sees it, with a network of its own to lose. */
export async function startOwner(taskQueue: string, ownSeal = seal, leaseTtl = TTL) {
  const network = await startTcpProxy(server.port);
  const owner = ownerOn(network, taskQueue, ownSeal, leaseTtl);
  await owner.liveness.start(owner.events);
  const stop = async (): Promise<void> => {
    await owner.liveness.stop();
    await network[Symbol.asyncDispose]();
  };
  return { ...owner, network, stop };
}

/** One that has not started. */
export function ownerOn(
  network: { port: number },
  taskQueue: string,
  ownSeal = seal,
  leaseTtl = TTL,
) {
  const orphans: Orphan[] = [];
  const events = {
    attached: vi.fn<OwnerEvents['attached']>(),
    cancelled: vi.fn<OwnerEvents['cancelled']>(),
    lost: vi.fn<OwnerEvents['lost']>(),
    returned: vi.fn<OwnerEvents['returned']>(),
    describe: () => ({}),
  };
  const liveness = new RedisLiveness({
    url: `redis://127.0.0.1:${network.port}`,
    namespace: 'default',
    taskQueue,
    leaseTtl,
    seal: ownSeal,
    releaseOrphan: async (orphan) => {
      orphans.push(orphan);
      return orphan.outcome !== undefined;
    },
    log: quiet,
  });
  return { liveness, events, orphans };
}

export function record(attempt = 1, scheduledAt = attempt * 1000, key = newKey()) {
  return { key, attempt: makeAttempt(attempt, scheduledAt), method: 'GET', host: 'h', path: '/' };
}

function newKey(): RequestKey {
  return { namespace: 'default', workflowId: randomUUID(), runId: 'r', activityId: '"}{ü' };
}

export function makeAttempt(number: number, scheduledAt: number): Attempt {
  const token = Buffer.from(`token ${number}/${scheduledAt}`);
  return { number, scheduledAt, token, progress: {} };
}

/** As a claim gives it: whoever fails an attempt needs no more. */
export function claimed({ number, scheduledAt, token }: Attempt): Attempt {
  return { number, scheduledAt, token };
}

/** The one process of a queue. */
export async function ownerOf(queue: string): Promise<string> {
  const [owner] = await server.redis.zrange(`patient:{default/${queue}}:leases`, '0', '0');
  return owner!;
}

export const OUTCOME = { kind: 'error', error: { type: 'UnknownError' } } as unknown as Outcome;
