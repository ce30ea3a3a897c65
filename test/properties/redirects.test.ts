import type { IncomingMessage, ServerResponse } from 'node:http';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Method } from '../../src/shared/constants.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { Sender, startTlsServer } from '../http/support.ts';

/** Where a step of a chain leads, and how its Location says so. */
interface Step {
  origin: number;
  status: number;
  spelling: 'absolute' | 'scheme-relative' | 'path' | 'userinfo' | 'upper case' | 'fragment';
}

interface Seen {
  origin: string;
  method: string;
  headers: IncomingMessage['headers'];
  hasBody: boolean;
}

const CREDENTIALS = {
  authorization: 'Bearer hidden',
  cookie: 'session=hidden',
  'proxy-authorization': 'Basic hidden',
};
const STATUSES = [301, 302, 303, 307, 308];

let origins: string[];
let steps: Step[] = [];
const seen: Seen[] = [];
const closing: AsyncDisposable[] = [];

/** `/n` answers with the step after the nth. */
function answer(origin: string, request: IncomingMessage, response: ServerResponse): void {
  const { method = '', headers } = request;
  seen.push({ origin, method, headers, hasBody: Number(headers['content-length'] ?? 0) > 0 });
  const at = Number(request.url!.slice(1));
  const step = steps[at];
  request.resume();
  if (!step) return void response.end('end');
  response.writeHead(step.status, { location: locationOf(step, origin, `/${at + 1}`) }).end();
}

function locationOf({ origin, spelling }: Step, from: string, path: string): string {
  const to = origins[origin]!;
  const [scheme, host] = to.split('://') as [string, string];
  switch (spelling) {
    case 'absolute':
      return to + path;
    case 'scheme-relative':
      return from.startsWith(`${scheme}:`) ? `//${host}${path}` : to + path;
    case 'path':
      return from === to ? path : to + path;
    case 'userinfo':
      return `${scheme}://user:hidden@${host}${path}`;
    case 'upper case':
      return `${scheme.toUpperCase()}://${host.toUpperCase()}${path}`;
    case 'fragment':
      return `${to}${path}#hidden`;
  }
}

beforeAll(async () => {
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  const start = () =>
    startTargetServer({
      handler(request, response) {
        answer(`http://${request.headers.host}`, request, response);
        return true;
      },
    });
  const [one, two] = await Promise.all([start(), start()]);
  const secure = await startTlsServer((request, response) =>
    answer(`https://${request.headers.host}`, request, response),
  );
  closing.push(one, two, secure);
  origins = [
    one.origin,
    one.origin.replace('127.0.0.1', 'localhost'),
    two.origin,
    secure.url('').replace(/\/$/, ''),
  ];
});
afterAll(async () => {
  delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  for (const each of closing) await each[Symbol.asyncDispose]();
});

const step: fc.Arbitrary<Step> = fc.record({
  // Mostly at home, so that chains come far with their credentials.
  origin: fc.constantFrom(0, 0, 0, 0, 0, 1, 2, 3),
  status: fc.constantFrom(...STATUSES),
  spelling: fc.constantFrom<Step['spelling']>(
    ...(['absolute', 'scheme-relative', 'path', 'userinfo', 'upper case', 'fragment'] as const),
  ),
});

/** As RFC 9110 §15.4 has it. */
function methodAfter(method: string, status: number): string {
  if (method === 'HEAD' || status === 307 || status === 308) return method;
  if (status === 303 || method === 'POST') return 'GET';
  return method;
}

test('credentials go nowhere but home, and methods as the RFC says', async () => {
  await using sender = new Sender();
  const request = fc.record({
    steps: fc.array(step, { maxLength: 7 }),
    method: fc.constantFrom<Method>('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'),
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ steps: chain, method }) => {
      steps = chain;
      seen.length = 0;
      const bodiless = method === 'GET' || method === 'HEAD';
      const response = await sender.send({
        url: `${origins[0]}/0`,
        method,
        headers: { ...CREDENTIALS, 'x-kept': 'yes' },
        body: bodiless ? undefined : { kind: 'text', value: 'paid' },
        maxRedirects: 50,
        allowDowngrade: true,
      });

      let atHome = true;
      let expected: string = method;
      const visited = [origins[0]!, ...chain.map(({ origin }) => origins[origin]!)];
      expect(seen.map(({ origin }) => origin)).toEqual(visited);
      for (const [i, hit] of seen.entries()) {
        if (i > 0) expected = methodAfter(expected, chain[i - 1]!.status);
        atHome &&= hit.origin === origins[0];
        expect(hit.method).toBe(expected);
        // A body stays until the method that took it goes.
        expect(hit.hasBody).toBe(!bodiless && expected === method && !becameGet(chain, i, method));
        if (atHome) expect(hit.headers).toMatchObject(CREDENTIALS);
        else expect(JSON.stringify(hit.headers)).not.toContain('hidden');
        expect(hit.headers['x-kept']).toBe('yes');
      }
      const urls = visited.map((origin, i) => `${origin}/${i}`);
      expect([...response.redirects, response.url]).toEqual(urls);
      expect(response.method).toBe(expected);
    }),
    { numRuns: 400 },
  );
});

function becameGet(chain: Step[], hops: number, method: string): boolean {
  let current = method;
  return chain.slice(0, hops).some(({ status }) => {
    const changed = methodAfter(current, status) !== current;
    current = methodAfter(current, status);
    return changed;
  });
}
