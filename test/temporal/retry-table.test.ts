import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { RequestSpec } from '../../src/index.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { RawServer, startTlsServer } from '../http/support.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { failureOf } from './support/outcomes.ts';

/**
 * Every row of the table of retries, for each kind of request in its columns. The row of a process
 * that dies is in test/crash. Two tries are all there are, as fast as Temporal starts them.
 */
const RETRY = { maximumAttempts: 2, initialInterval: 1, maximumInterval: 1 };

type Kind = Pick<RequestSpec, 'method' | 'idempotencyKey' | 'resend'>;

const MAY: [string, Kind][] = [
  ['GET', { method: 'GET' }],
  ['PUT', { method: 'PUT' }],
  ['DELETE', { method: 'DELETE' }],
  ['POST with a key', { method: 'POST', idempotencyKey: true }],
  ['PATCH, resend always', { method: 'PATCH', resend: 'always' }],
];
const MAY_NOT: [string, Kind][] = [
  ['POST', { method: 'POST' }],
  ['PATCH', { method: 'PATCH' }],
  ['GET, resend never', { method: 'GET', resend: 'never' }],
];

let env: Environment;

// They wait for Temporal's timer, which is coarse, and not for this machine.
vi.setConfig({ maxConcurrency: 20 });

beforeAll(async () => {
  env = await startEnvironment({ denyHosts: ['denied.test'] });
});
afterAll(() => env?.[Symbol.asyncDispose]());

const send = (kind: Kind, spec: RequestSpec) =>
  env.patient.request({ retry: RETRY, ...kind, ...spec });

/** A target of its own; `seen` counts its requests. */
async function startTarget(path: string, respond?: (response: ServerResponse) => void) {
  const target = await startTargetServer(
    respond && {
      handler(_, response) {
        respond(response);
        return true;
      },
    },
  );
  return {
    url: () => target.url(path),
    seen: () => target.total,
    [Symbol.asyncDispose]: () => target.close(),
  };
}

interface Place extends AsyncDisposable {
  url: () => string;
  seen?: () => number;
}

/** A place whose requests fail, how, and the tries of what may and of what may not be re-sent. */
type Row = [
  string,
  () => Promise<Place>,
  object,
  { may: number; mayNot: number },
  Partial<RequestSpec>?,
];

const nowhere = (url: string) => async (): Promise<Place> => ({
  url: () => url,
  [Symbol.asyncDispose]: async () => undefined,
});

const refusing = nowhere('http://127.0.0.1:1/');

/** A server below HTTP; `seen` counts its connections. */
async function https(onSocket: (socket: Socket) => void): Promise<Place> {
  const server = await RawServer.start(onSocket);
  return {
    url: () => server.url().replace('http', 'https'),
    seen: () => server.sockets.length,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const ALWAYS = { may: 2, mayNot: 2 };
const NEVER = { may: 1, mayNot: 1 };
const IF_SAFE = { may: 2, mayNot: 1 };

const failing: Row[] = [
  [
    'DNS',
    nowhere('http://no-such-host.invalid/'),
    { type: 'ConnectionError', phase: 'connect' },
    ALWAYS,
  ],
  ['refused', refusing, { type: 'ConnectionError', phase: 'connect' }, ALWAYS],
  [
    'connect timeout',
    () => https(() => undefined),
    { type: 'TimeoutError', phase: 'connect' },
    ALWAYS,
    { connectTimeout: 50 },
  ],
  [
    'TLS handshake broken off',
    () => https((socket) => socket.once('data', () => socket.end())),
    { type: 'ConnectionError', phase: 'connect' },
    ALWAYS,
  ],
  ['reset', () => startTarget('/reset'), { type: 'ConnectionError', phase: 'sent' }, IF_SAFE],
  [
    'half a response',
    () => startTarget('/half'),
    { type: 'ConnectionError', phase: 'sent' },
    IF_SAFE,
  ],
  [
    'first byte timeout',
    () => startTarget('/hold'),
    { type: 'TimeoutError', phase: 'sent' },
    IF_SAFE,
    { firstByteTimeout: 150 },
  ],
  [
    'timeout',
    () => startTarget('/hold'),
    { type: 'TimeoutError', phase: 'sent' },
    IF_SAFE,
    { timeout: 1_000 },
  ],
  [
    'refused after a redirect',
    () =>
      startTarget('/', (response) =>
        response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
      ),
    { type: 'ConnectionError', phase: 'sent' },
    IF_SAFE,
  ],
  [
    'bad certificate',
    () => startTlsServer((_, response) => void response.end()),
    { type: 'TlsError', phase: 'connect' },
    NEVER,
  ],
  [
    'blocked address',
    nowhere('http://denied.test/'),
    { type: 'BlockedAddressError', phase: 'connect' },
    NEVER,
  ],
  [
    'blocked address after a redirect',
    () =>
      startTarget('/', (response) =>
        response.writeHead(307, { location: 'http://denied.test/' }).end(),
      ),
    { type: 'BlockedAddressError', phase: 'sent' },
    NEVER,
  ],
  [
    'too large',
    () => startTarget('/bytes/100'),
    { type: 'ResponseTooLargeError', phase: 'sent' },
    NEVER,
    { maxResponseSize: 99 },
  ],
  [
    'redirect loop',
    () => startTarget('/', (response) => response.writeHead(307, { location: '/' }).end()),
    { type: 'RedirectLoopError', phase: 'sent' },
    NEVER,
  ],
  [
    'redirect refused',
    () => startTarget('/', (response) => response.writeHead(307, { location: 'ftp://x/' }).end()),
    { type: 'RedirectRefusedError', phase: 'sent' },
    NEVER,
  ],
  ['bad spec', nowhere('ftp://x/'), { type: 'InvalidRequestError', phase: 'prepare' }, NEVER],
];

/** Two kinds of each column by turns: all of them come up, and the table stays quick. */
function kinds(row: number): [string, Kind, 'may' | 'mayNot'][] {
  const [may, mayNot] = [MAY[row % MAY.length]!, MAY_NOT[row % MAY_NOT.length]!];
  return [
    [...may, 'may'],
    [...mayNot, 'mayNot'],
  ];
}

describe.concurrent.each(failing)('%s', (...row) => {
  const [name, open, error, tries, spec] = row;
  const index = failing.findIndex(([other]) => other === name);

  test.each(kinds(index))('%s', async (_, kind, column) => {
    await using place = await open();
    const failure = await failureOf(send(kind, { url: place.url(), ...spec }));
    expect(failure).toMatchObject({ ...error, attempt: tries[column] });
    if (place.seen) expect(place.seen()).toBe(tries[column]);
  });
});

const statuses: [number, { may: number; mayNot: number }][] = [
  [425, ALWAYS],
  [429, ALWAYS],
  [408, IF_SAFE],
  [500, IF_SAFE],
  [502, IF_SAFE],
  [503, IF_SAFE],
  [504, IF_SAFE],
  [400, NEVER],
  [403, NEVER],
  [404, NEVER],
  [409, NEVER],
  [501, NEVER],
];

describe.concurrent.each(statuses)('%i', (status, tries) => {
  const index = statuses.findIndex(([other]) => other === status);

  test.each(kinds(index))('%s', async (_, kind, column) => {
    await using place = await startTarget(`/status/${status}`);
    const response = await send(kind, { url: place.url() });
    expect(response).toMatchObject({ status, attempt: tries[column] });
    expect(place.seen()).toBe(tries[column]);
  });
});

describe.concurrent.each<[string, number, { may: number; mayNot: number }]>([
  ['false', 429, NEVER],
  ['false', 503, NEVER],
  // It does not say that nothing was processed.
  ['true', 503, IF_SAFE],
  ['true', 501, IF_SAFE],
  ['true', 409, IF_SAFE],
  ['true', 429, ALWAYS],
  ['true', 200, NEVER],
  ['maybe', 503, IF_SAFE],
])('x-should-retry: %s with %i', (value, status, tries) => {
  test.each([...MAY.slice(0, 1), ...MAY_NOT.slice(0, 1)])('%s', async (_, kind) => {
    await using place = await startTarget('/', (response) =>
      response.writeHead(status, { 'x-should-retry': value }).end(),
    );
    const column = kind.method === 'GET' ? 'may' : 'mayNot';
    expect(await send(kind, { url: place.url() })).toMatchObject({
      status,
      attempt: tries[column],
    });
    expect(place.seen()).toBe(tries[column]);
  });
});

test('statuses can be chosen', async () => {
  const retry = { ...RETRY, statuses: [418] };
  await using teapot = await startTarget('/status/418');
  expect(await send({}, { url: teapot.url(), retry })).toMatchObject({ status: 418, attempt: 2 });
  await using away = await startTarget('/status/503');
  expect(await send({}, { url: away.url(), retry })).toMatchObject({ status: 503, attempt: 1 });
});

describe.concurrent('a rate limit is waited for', () => {
  const limited = (headers: () => Record<string, string>) => async () => {
    const at: number[] = [];
    const place = await startTarget('/', (response) => {
      at.push(performance.now());
      response.writeHead(at.length === 1 ? 429 : 200, headers()).end();
    });
    return { ...place, at };
  };

  test.each<[string, () => Record<string, string>]>([
    ['retry-after-ms', () => ({ 'retry-after-ms': '1500' })],
    ['Retry-After, a date', () => ({ 'retry-after': new Date(Date.now() + 3000).toUTCString() })],
    ['x-ratelimit-reset', () => ({ 'x-ratelimit-reset': '1.5s' })],
    ['RateLimit', () => ({ ratelimit: '"burst";r=9;t=60, "default";r=0;t=2' })],
  ])('%s', async (_, headers) => {
    await using place = await limited(headers)();
    const response = await send({ method: 'POST' }, { url: place.url() });
    expect(response).toMatchObject({ status: 200, attempt: 2 });
    const [first, second] = place.at;
    expect(second! - first!).toBeGreaterThan(1400);
    expect(second! - first!).toBeLessThan(30_000);
  });

  test('no longer than maxRetryAfter', async () => {
    await using place = await limited(() => ({ 'x-ratelimit-reset': '6h' }))();
    const retry = { ...RETRY, maxRetryAfter: 1 };
    expect(await send({}, { url: place.url(), retry })).toMatchObject({ status: 200, attempt: 2 });
  });
});
