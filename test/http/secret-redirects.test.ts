import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RequestSecrets } from '../../src/shared/resolved-request.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { Sender } from './support.ts';

const KEY = 'sk_live/q7+R&"9=z';

let target: TargetServer;
let other: TargetServer;
let sender: Sender;
let preprocessed: string[];

beforeAll(async () => {
  target = await startTargetServer();
  other = await startTargetServer();
  preprocessed = [];
  sender = new Sender({
    secrets: () => KEY,
    preprocessors: {
      sign: ({ url }) => {
        preprocessed.push(url);
        return { headers: { 'x-signature': url }, params: { signed: preprocessed.length } };
      },
    },
  });
});
afterAll(async () => {
  await sender[Symbol.asyncDispose]();
  await target.close();
  await other.close();
});

const secrets: RequestSecrets = {
  headers: { 'x-api-key': { $secret: 'KEY' } },
  params: { key: { $secret: 'KEY' } },
};
const encoded = new URLSearchParams({ key: KEY }).toString();

async function send(url: string) {
  const before = { target: target.hits.length, other: other.hits.length };
  preprocessed = [];
  const request = { secrets, headers: { 'x-plain': 'plain' }, preprocessors: ['sign'] };
  const outcome = await sender.get(url, request).catch((error: unknown) => error);
  const text =
    outcome instanceof Error ? `${outcome.message} ${outcome.cause}` : JSON.stringify(outcome);
  for (const form of [KEY, encodeURIComponent(KEY), encoded.slice(4)]) {
    expect(text).not.toContain(form);
  }
  return {
    outcome,
    hits: target.hits.slice(before.target),
    away: other.hits.slice(before.other),
  };
}

const to = (url: string, query = ''): string =>
  target.url(`/redirect-to?url=${encodeURIComponent(url)}${query}`);

describe('within an origin', () => {
  test('secrets go along, and preprocessors run again on the new URL', async () => {
    const { outcome, hits } = await send(to('/echo?a=1'));
    expect(hits).toHaveLength(2);
    for (const { headers, path } of hits) {
      expect(headers).toMatchObject({ 'x-api-key': KEY, 'x-plain': 'plain' });
      expect(new URL(path, target.origin).searchParams.getAll('key')).toEqual([KEY]);
    }
    expect(preprocessed).toEqual([
      `${to('/echo?a=1')}&${encoded}`,
      target.url(`/echo?a=1&${encoded}`),
    ]);
    expect(hits[1]!.headers['x-signature']).toBe(target.url(`/echo?a=1&${encoded}`));
    expect(hits[1]!.path).toBe(`/echo?a=1&${encoded}&signed=2`);
    expect(outcome).toMatchObject({
      url: target.url('/echo?a=1'),
      redirects: [to('/echo?a=1')],
    });
  });

  test('a parameter that the Location names itself is left to it', async () => {
    const { outcome, hits } = await send(to('/echo?key=theirs'));
    expect(hits[1]!.path).toBe('/echo?key=theirs&signed=2');
    expect(outcome).toMatchObject({ url: target.url('/echo?key=theirs') });
  });

  test('a Location that echoes the query is followed, and not shown', async () => {
    const { outcome, hits } = await send(
      to(`/redirect-to?url=${encodeURIComponent(`/echo?${encoded}`)}&${encoded}`),
    );
    expect(hits[2]!.path).toBe(`/echo?${encoded}&signed=3`);
    expect(outcome).toMatchObject({
      url: target.url('/echo?key=[secret KEY]'),
      redirects: [expect.any(String), expect.stringContaining('&key=[secret KEY]')],
    });
  });
});

describe('to another origin', () => {
  test('neither secrets nor preprocessors nor what they added go along', async () => {
    const { outcome, hits, away } = await send(to(other.url('/echo?a=1')));
    expect(hits[0]!.headers).toMatchObject({ 'x-api-key': KEY, 'x-signature': expect.any(String) });
    expect(away).toHaveLength(1);
    expect(away[0]!.path).toBe('/echo?a=1');
    expect(away[0]!.headers).toMatchObject({ 'x-plain': 'plain' });
    expect(away[0]!.headers).not.toHaveProperty('x-api-key');
    expect(away[0]!.headers).not.toHaveProperty('x-signature');
    expect(preprocessed).toHaveLength(1);
    expect(outcome).toMatchObject({ url: other.url('/echo?a=1') });
  });

  test('nor back home from there', async () => {
    const home = other.url(`/redirect-to?url=${encodeURIComponent(target.url('/echo'))}`);
    const { hits } = await send(to(home));
    expect(hits[1]!.path).toBe('/echo');
    expect(hits[1]!.headers).not.toHaveProperty('x-api-key');
    expect(preprocessed).toHaveLength(1);
  });

  test('a parameter that a Location echoes is taken out of it', async () => {
    const { outcome, away } = await send(to(other.url(`/echo?a=1&${encoded}&b=2`)));
    expect(away[0]!.path).toBe('/echo?a=1&b=2');
    expect(outcome).toMatchObject({ url: other.url('/echo?a=1&b=2') });
  });

  test('a Location with a secret elsewhere is refused', async () => {
    const { outcome, away } = await send(to(other.url(`/${encodeURIComponent(KEY)}/x`)));
    expect(outcome).toMatchObject({
      type: 'RedirectRefusedError',
      message: expect.stringContaining('redirected to another origin with a secret'),
    });
    expect(away).toEqual([]);
  });
});
