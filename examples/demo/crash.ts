import type { RequestSpec } from '../../src/index.ts';
import { startWorker, type WorkerProcess } from './fleet.ts';
import { show } from './progress.ts';
import type { ApiCall, SlowApi } from './slow-api.ts';

/** Shorter than the defaults of 10 s and 3 min, for the demo's calls are short too. */
const LEASE_SECONDS = 5;
const HEARTBEAT_SECONDS = 15;
const VICTIM = 'patient-demo-victim';
/** ms */
const LOOK = 50;

export interface CrashReport {
  leaseSeconds: number;
  pid: number;
  /** Calls of its that the API was working on when it was killed. */
  cutOff: number;
  /** Requests that the other one took over. */
  orphans: number;
  /** ms from the kill until the API saw the last of them again. */
  recovery: number;
  sentTwice: number;
  /** Of these, what may not be sent again. */
  forbidden: number;
}

export interface Fleet extends AsyncDisposable {
  readonly victim: WorkerProcess;
  readonly survivor: WorkerProcess;
}

/** Two worker processes. */
export async function startFleet(
  address: string,
  redisUrl: string,
  callbackTaskQueue: string,
): Promise<Fleet> {
  const settings = {
    TEMPORAL_ADDRESS: address,
    PATIENT_REDIS_URL: redisUrl,
    PATIENT_LEASE_TTL: `${LEASE_SECONDS}s`,
    PATIENT_CALLBACK_TASK_QUEUE: callbackTaskQueue,
    PATIENT_ALLOW_PRIVATE_ADDRESSES: 'true',
  };
  const [victim, survivor] = await Promise.all([
    startWorker({ ...settings, PATIENT_USER_AGENT: VICTIM }),
    startWorker(settings),
  ]);
  return {
    ...{ victim, survivor },
    async [Symbol.asyncDispose]() {
      await Promise.all([victim[Symbol.asyncDispose](), survivor[Symbol.asyncDispose]()]);
    },
  };
}

/**
 * What Temporal hands to a process that dies before it has registered it, no lease finds, nor what a
 * busy development server has marked as started and handed to nobody.
 */
export function withHeartbeat(spec: RequestSpec): RequestSpec {
  return { heartbeatTimeout: HEARTBEAT_SECONDS * 1000, ...spec };
}

/**
 * Kills the victim once the API has seen half of so many calls, each of them counted once. The
 * function given says, once all calls have ended, what came of that.
 */
export function killHalfWay({ victim, survivor }: Fleet, api: SlowApi, total: number) {
  let killedAt = 0;
  const endProgress = show(() => {
    const { inFlight, calls } = api;
    return `${inFlight} calls in flight at the API, which has seen ${calls.length} tries`;
  });
  const timer = setInterval(() => {
    if (new Set(api.calls.map(({ id }) => id)).size < total / 2) return;
    clearInterval(timer);
    killedAt = performance.now();
    victim.kill();
    console.log(
      `Worker ${victim.pid} is killed, worker ${survivor.pid} goes on. Its lease lasts ` +
        `${LEASE_SECONDS} s; what it had not yet registered is found by the heartbeat timeout, ` +
        `${HEARTBEAT_SECONDS} s here`,
    );
  }, LOOK);
  return (): CrashReport => {
    clearInterval(timer);
    endProgress();
    const again = sentAgain(api.calls, killedAt);
    return {
      leaseSeconds: LEASE_SECONDS,
      pid: victim.pid,
      cutOff: api.calls.filter((call) => isCutOff(call, killedAt)).length,
      orphans: survivor.orphans,
      recovery: (again.at(-1)?.at ?? killedAt) - killedAt,
      sentTwice: again.length,
      forbidden: again.filter(({ mayBeResent }) => !mayBeResent).length,
    };
  };
}

/**
 * What came again although it had not failed, each by its first time. What is tried again by its
 * own policy is not meant, before the crash or after.
 */
function sentAgain(calls: readonly ApiCall[], killedAt: number): ApiCall[] {
  const before = new Set(
    calls
      .filter((call) => isCutOff(call, killedAt) || (call.by === VICTIM && isFinal(call)))
      .map(({ id }) => id),
  );
  return calls.filter(({ id, at }) => at > killedAt && before.delete(id));
}

/** The API was working on it when its sender was killed. */
function isCutOff({ by, at, endedAt = Infinity }: ApiCall, killedAt: number): boolean {
  return by === VICTIM && at <= killedAt && endedAt > killedAt;
}

/** Answered with what no policy tries again. */
function isFinal({ status = 500 }: ApiCall): boolean {
  return status < 500 && ![408, 425, 429].includes(status);
}
