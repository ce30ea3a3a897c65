import type { Environment } from './environment.ts';
import { startPeer, type Methods, type Peer } from './peer.ts';
import type { activity } from './peers/activity.ts';
import type { bullmq } from './peers/bullmq.ts';
import type { patient } from './peers/patient.ts';
import type { undici } from './peers/undici.ts';

/** One way to make many requests, whose worker is a process of its own. */
export interface System {
  peer: Peer<Methods>;
  /** ms from the start to each response with status 200, in the caller's hands. */
  run(url: string, count: number): Promise<number[]>;
}

export interface SystemOptions {
  /** Requests at once. */
  concurrency: number;
  chunkSize: number;
}

/** Temporal's default. */
export const DEFAULT_SLOTS = 100;
/** Requests of one batch, so many outcomes fit into its result; and batches at once. */
const PER_BATCH = 4_000;
const BATCHES = 2;

export const SYSTEMS = {
  'bare undici': startUndici,
  'BullMQ job': startBullMq,
  'fetch activity, default slots': (env: Environment) =>
    startActivity(env, { concurrency: DEFAULT_SLOTS }),
  'fetch activity, as many slots as requests': (env: Environment, options: SystemOptions) =>
    startActivity(env, options),
  'fetch activity, child workflow': (env: Environment, options: SystemOptions) =>
    startActivity(env, options, true),
  'Patient HTTP, inline': (env: Environment, options: SystemOptions) =>
    startPatient(env, options, (queue) => fanOut(env, 'patientFanOut', queue)),
  'Patient HTTP, child workflow': (env: Environment, options: SystemOptions) =>
    startPatient(env, options, (queue) => fanOut(env, 'childFanOut', queue)),
  'Patient HTTP, batch': (env: Environment, options: SystemOptions) =>
    startPatient(env, options, (taskQueue) => (url, count) => {
      const sizes = parts(count, PER_BATCH);
      const batches = sizes.map((length) => ({
        requests: Array<string>(length).fill(url),
        chunkSize: options.chunkSize,
      }));
      return env.driver.call('batches', { taskQueue, batches, parallel: BATCHES });
    }),
} satisfies Record<string, (env: Environment, options: SystemOptions) => Promise<System>>;

export type SystemName = keyof typeof SYSTEMS;

/** Never twice in a run. */
let queues = 0;

async function startUndici(_env: Environment, { concurrency }: SystemOptions): Promise<System> {
  const peer = await startPeer<typeof undici>('undici');
  return {
    peer: peer as unknown as Peer<Methods>,
    run: (url, count) => peer.call('fanOut', { url, count, concurrency }),
  };
}

async function startBullMq(
  { driver, redisUrl }: Environment,
  { concurrency }: SystemOptions,
): Promise<System> {
  const peer = await startPeer<typeof bullmq>('bullmq');
  const queue = `bullmq-${++queues}`;
  await peer.call('start', { redisUrl, queue, concurrency });
  return {
    peer: peer as unknown as Peer<Methods>,
    run: (url, count) => driver.call('jobs', { redisUrl, queue, url, count }),
  };
}

async function startActivity(
  env: Environment,
  { concurrency: slots }: Pick<SystemOptions, 'concurrency'>,
  workflows = false,
): Promise<System> {
  const peer = await startPeer<typeof activity>('activity');
  const taskQueue = `activity-${++queues}`;
  await peer.call('start', { address: env.temporalAddress, taskQueue, slots, workflows });
  return {
    peer: peer as unknown as Peer<Methods>,
    run: fanOut(env, workflows ? 'fetchChildFanOut' : 'activityFanOut', taskQueue),
  };
}

async function startPatient(
  { temporalAddress: address, redisUrl }: Environment,
  { concurrency: maxConnections }: SystemOptions,
  runOn: (taskQueue: string) => System['run'],
): Promise<System> {
  const peer = await startPeer<typeof patient>('patient');
  const taskQueue = `patient-${++queues}`;
  await peer.call('start', { address, taskQueue, maxConnections, redisUrl });
  return { peer: peer as unknown as Peer<Methods>, run: runOn(taskQueue) };
}

function fanOut({ driver }: Environment, workflowType: string, taskQueue: string): System['run'] {
  return (url, count) => driver.call('fanOut', { workflowType, count, url, taskQueue });
}

function parts(count: number, most: number): number[] {
  const full = Array<number>(Math.floor(count / most)).fill(most);
  return count % most ? [...full, count % most] : full;
}
