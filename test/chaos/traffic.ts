import type { RequestSpec } from '../../src/index.ts';
import type { Random } from './random.ts';

/** A request of the run: what is sent, when, and what may become of it. */
export interface PlannedRequest {
  /** Also its workflow's id, and the last segment of its path. */
  id: string;
  kind: string;
  /** ms from the start of the traffic. */
  at: number;
  /** Path at the target, nobody else's. */
  path: string;
  spec: Omit<RequestSpec, 'url'>;
  /** Whether it may go out again once nobody knows whether it did. */
  resendable: boolean;
  /** Status of the response or type of the failure that it has without any fault. */
  expected: string;
  /** Most hits at the target that it has without any fault. */
  tries: number;
  /** ms from its start to a cancel. */
  cancelAfter: number | undefined;
  callback: 'rawCallback' | 'handlerCallback' | undefined;
}

type Draft = Pick<PlannedRequest, 'path' | 'spec' | 'expected'> &
  Partial<Pick<PlannedRequest, 'resendable' | 'tries'>>;

/** Soon enough that a small run sees all tries. */
const retry = { initialInterval: 300, maximumInterval: 1_000 };
const post = { method: 'POST', json: { amount: 1 } } as const;

/** Kinds of requests; the first are the most frequent. */
const KINDS: [kind: string, weight: number, draft: (random: Random, id: string) => Draft][] = [
  ['get', 5, (random, id) => slow(random, id, {}, true)],
  ['post', 5, (random, id) => slow(random, id, post, false)],
  ['post with key', 3, (random, id) => slow(random, id, { ...post, idempotencyKey: true }, true)],
  ['get never re-sent', 2, (random, id) => slow(random, id, { resend: 'never' }, false)],
  ['post re-sent', 1, (random, id) => slow(random, id, { ...post, resend: 'always' }, true)],
  [
    'dripping get',
    1,
    (random, id) => {
      const query = `?count=${random.int(2, 10)}&interval=${random.int(50, 500)}`;
      return { path: `/drip/${id}${query}`, spec: {}, expected: '200' };
    },
  ],
  [
    'get answered 503',
    2,
    (random, id) => flaky(id, random.int(1, 2), 503, { spec: {}, resendable: true }),
  ],
  [
    'post answered 429',
    2,
    (random, id) => flaky(id, random.int(1, 2), 429, { spec: post, resendable: false }),
  ],
  [
    'get answered 404',
    1,
    (_, id) => ({
      ...{ path: `/status/404/${id}`, spec: { raiseErrorResponses: true } },
      expected: 'HttpStatusError',
    }),
  ],
  [
    'post answered 500',
    1,
    (_, id) => ({ path: `/status/500/${id}`, spec: post, resendable: false, expected: '500' }),
  ],
  ['get broken off', 1, (_, id) => brokenOff(id, {}, true)],
  ['post broken off', 1, (_, id) => brokenOff(id, post, false)],
  [
    'too large',
    1,
    (_, id) => ({
      ...{ path: `/bytes/20000/${id}`, spec: { maxResponseSize: 1_000 } },
      expected: 'ResponseTooLargeError',
    }),
  ],
];

function slow(random: Random, id: string, spec: Draft['spec'], resendable: boolean): Draft {
  const ms = random.chance(0.3) ? random.int(0, 200) : random.int(200, 6_000);
  return { path: `/delay/${ms}/${id}`, spec, resendable, expected: '200' };
}

function flaky(
  id: string,
  failures: number,
  status: number,
  { spec, resendable }: { spec: Draft['spec']; resendable: boolean },
): Draft {
  const path = `/flaky/${id}/${failures}/${status}`;
  return { path, spec, resendable, tries: failures + 1, expected: '200' };
}

function brokenOff(id: string, spec: Draft['spec'], resendable: boolean): Draft {
  // Three, and each may be dispatched once more when its socket was a reused one.
  const tries = resendable ? 6 : 1;
  return { path: `/reset/${id}`, spec, resendable, tries, expected: 'ConnectionError' };
}

/** `rate` requests a second, evenly, of all kinds. */
export function planTraffic(
  random: Random,
  { seed, seconds, rate }: { seed: number; seconds: number; rate: number },
): PlannedRequest[] {
  const deck = KINDS.flatMap((kind) => Array.from({ length: kind[1] }, () => kind));
  return Array.from({ length: Math.round(seconds * rate) }, (_, index) => {
    const [kind, , draft] = random.pick(deck as [(typeof deck)[0], ...typeof deck]);
    const id = `chaos-${seed}-${index + 1}`;
    const drafted = draft(random, id);
    return {
      ...{ resendable: true, tries: 1, ...drafted, id, kind },
      at: (index * 1_000) / rate,
      spec: {
        ...drafted.spec,
        ...{ retry, timeout: '30s', heartbeatTimeout: random.int(3_000, 5_000) },
      },
      cancelAfter: random.chance(0.12) ? random.int(0, 5_000) : undefined,
      callback: random.pick([undefined, undefined, 'rawCallback', 'handlerCallback']),
    };
  });
}
