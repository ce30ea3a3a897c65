import { body } from './cases/body.ts';
import { cancel } from './cases/cancel.ts';
import { capacity } from './cases/capacity.ts';
import { fairness } from './cases/fairness.ts';
import { flow } from './cases/flow.ts';
import { growth } from './cases/growth.ts';
import { guard } from './cases/guard.ts';
import { inFlight } from './cases/in-flight.ts';
import { large } from './cases/large.ts';
import { latency } from './cases/latency.ts';
import { payload } from './cases/payload.ts';
import { signers } from './cases/signers.ts';
import { throughput } from './cases/throughput.ts';
import { tls } from './cases/tls.ts';
import type { Environment } from './environment.ts';
import type { CaseResult } from './report.ts';

export interface Size {
  /** A tenth, to see that it works. */
  small: boolean;
  /** The large ends too. */
  full: boolean;
  rounds: number;
}

/** Every case by its name, in the order in which they run. */
export function casesOf({
  small,
  full,
  rounds,
}: Size): Record<string, (env: Environment) => Promise<CaseResult>> {
  return {
    throughput: (env) =>
      throughput(env, {
        ...{ concurrency: small ? 400 : 4_000, chunkSize: 500, rounds },
        // As many as each makes in about twenty seconds.
        counts: {
          'bare undici': small ? 2_000 : 40_000,
          'BullMQ job': small ? 2_000 : 40_000,
          'fetch activity, default slots': small ? 100 : 1_000,
          'fetch activity, as many slots as requests': small ? 400 : 4_000,
          'fetch activity, child workflow': small ? 100 : 300,
          'Patient HTTP, inline': small ? 400 : 4_000,
          'Patient HTTP, child workflow': small ? 100 : 300,
          'Patient HTTP, batch': small ? 2_000 : 40_000,
        },
      }),
    growth: (env) =>
      growth(env, {
        counts: small ? [1_000] : full ? [1_000, 10_000, 100_000] : [1_000, 10_000],
        workers: small ? [1, 2] : [1, 2, 4],
        sizes: small ? [1_000] : [1_000, 10_000, 100_000],
      }),
    flow: (env) =>
      flow(env, {
        ...{
          rate: small ? 50 : 200,
          burst: 10,
          concurrency: small ? 10 : 40,
          seconds: small ? 6 : 20,
        },
        ...{ waiting: small ? 200 : 2_000, beside: small ? 500 : 4_000, rounds },
      }),
    fairness: (env) =>
      fairness(env, {
        ...{ batch: small ? 2_000 : 10_000, singles: small ? 100 : 200, maxConnections: 500 },
      }),
    'in-flight': (env) =>
      inFlight(env, {
        ...{ count: small ? 500 : 5_000, holdMs: small ? 3_000 : 10_000 },
        rounds: full ? rounds : 1,
      }),
    latency: (env) => latency(env, { count: small ? 50 : 100, rounds }),
    capacity: (env) => capacity(env, { count: 500, maxConnections: 50 }),
    cancel: (env) => cancel(env, { count: small ? 20 : 100 }),
    guard: (env) => guard(env, { count: small ? 200 : 2_000, rounds }),
    signers: (env) => signers(env, { count: small ? 200 : 2_000, rounds }),
    payload: () => payload({ count: small ? 200 : 1_000, rounds }),
    large: (env) =>
      large(env, full ? { count: 100, megabytes: 20 } : { count: small ? 5 : 10, megabytes: 5 }),
    body: (env) => body(env, { megabytes: full ? 100 : 20 }),
    tls: () => tls({ count: small ? 200 : 1_000, rounds }),
  };
}
