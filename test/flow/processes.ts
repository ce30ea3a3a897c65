import { setMaxListeners } from 'node:events';
import { Flow, type FlowOptions } from '../../src/flow/flow.ts';
import { MemoryLedger } from '../../src/flow/memory.ts';
import type { FlowControl, Later, Permit, Seen } from '../../src/flow/port.ts';
import { RedisLedger } from '../../src/flow/redis.ts';
import { RedisLiveness } from '../../src/liveness/redis.ts';
import type { FlowLimits } from '../../src/shared/flow-limits.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
export const LEASE_TTL = 1_500;
const never = new AbortController().signal;
// Shared by all that never give up.
setMaxListeners(0, never);

type Options = Partial<Omit<FlowOptions, 'ledger'>>;

/** One process's flow control, as the worker composes it. */
export interface Member extends AsyncDisposable {
  flow: Flow;
  /** Loses its way to Redis and its lease, as a killed process does. */
  die(): Promise<void>;
  /** Those that it knows of, itself included. */
  processes: () => number;
  network: Awaited<ReturnType<typeof startTcpProxy>>;
}

export async function startMember(
  redis: { port: number },
  taskQueue: string,
  options: Options = {},
): Promise<Member> {
  const network = await startTcpProxy(redis.port);
  const liveness = new RedisLiveness({
    url: `redis://127.0.0.1:${network.port}`,
    namespace: 'default',
    taskQueue,
    leaseTtl: LEASE_TTL,
    seal: { seal: async () => '', open: () => Promise.reject(new Error('nothing is kept here')) },
    releaseOrphan: async () => true,
    log: quiet,
  });
  await liveness.start({
    attached() {},
    cancelled() {},
    lost() {},
    returned() {},
    describe: () => ({}),
  });
  const ledger = new RedisLedger({
    access: () => liveness.access,
    living: () => liveness.living,
    leaseTtl: LEASE_TTL,
    log: quiet,
  });
  const flow = new Flow({ limits: {}, maxWaiting: 10_000, ...options, ledger });
  await flow.start();
  let ended = false;
  const end = async (): Promise<void> => {
    if (ended) return;
    ended = true;
    await flow.stop();
    await liveness.stop();
    await network[Symbol.asyncDispose]();
  };
  return {
    ...{ flow, network },
    processes: () => liveness.living,
    async die() {
      await network[Symbol.asyncDispose]();
      await end();
    },
    [Symbol.asyncDispose]: end,
  };
}

/** One process without Redis. */
export async function startAlone(): Promise<Pick<Member, 'flow'> & AsyncDisposable> {
  const flow = memoryFlow();
  await flow.start();
  return { flow, [Symbol.asyncDispose]: () => flow.stop() };
}

export function memoryFlow(options: Options = {}): Flow {
  return new Flow({ limits: {}, maxWaiting: 10_000, ...options, ledger: new MemoryLedger() });
}

/** Leave for one request, as the processor asks for it: with a wait right before the first byte. */
export async function pass(
  flow: FlowControl,
  key: string,
  limits: FlowLimits,
  {
    cost = 1,
    pointer,
    signal = never,
  }: { cost?: number; pointer?: string; signal?: AbortSignal } = {},
): Promise<Permit> {
  const turn = await flow.acquire('host', { key, limits, cost, pointer }, signal);
  if (!turn || 'later' in turn) throw new Error(`No permit: ${JSON.stringify(turn)}`);
  const later = await turn.ready(signal);
  if (later) throw new Error(`Sent away for ${later.later} ms`);
  return turn;
}

export async function sentAway(turn: Promise<Permit | Later> | undefined): Promise<number> {
  const result = await turn;
  if (!result || !('later' in result)) throw new Error('It was not sent away');
  return result.later;
}

export const OK: Exclude<Seen, string> = {
  status: 200,
  body: '',
  bodyEncoding: 'utf8',
  retryAfter: undefined,
};

export const busy = (retryAfter: number): Seen => ({ ...OK, status: 429, retryAfter });
