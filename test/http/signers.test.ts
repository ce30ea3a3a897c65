import { createHmac, createPublicKey, verify } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { FinalRequest, Preprocessor } from '../../src/http/preprocessors.ts';
import { awsSigner } from '../../src/http/signers/aws.ts';
import { hmacSigner } from '../../src/http/signers/hmac.ts';
import { webhookSigner } from '../../src/http/signers/webhook.ts';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { Sender } from './support.ts';

let target: TargetServer;

beforeAll(async () => {
  target = await startTargetServer();
});
afterAll(() => target.close());

const SECRETS: Record<string, string> = {
  // GitHub, "Validating webhook deliveries"
  GITHUB: "It's a Secret to Everybody",
  // Of the Standard Webhooks libraries
  WHSEC: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  // Of Svix' server, whose scheme v1a is
  WHSK: 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==',
  SEED: 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=',
  // Of AWS' Signature Version 4 test suite
  AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  TOKEN:
    'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPf' +
    'IeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7W' +
    'Z0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8F' +
    'DrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==',
  BAD: 'whsec_dG9vIHNob3J0',
};

/** The headers that a signer sets on a request, by the clock at that time. */
async function headersOf(
  signer: Preprocessor,
  request: Partial<FinalRequest> & { text?: string },
  at?: string,
): Promise<Record<string, unknown>> {
  if (at !== undefined) {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date(at) });
    onTestFinished(() => void vi.useRealTimers());
  }
  const { text = '', ...rest } = request;
  const defaults = { method: 'POST', url: 'https://api.test/', headers: {} } as const;
  const context = { secret: async (name: string) => SECRETS[name]! };
  const changes = await signer({ ...defaults, body: Buffer.from(text), ...rest }, context);
  return changes!.headers!;
}

describe('HMAC', () => {
  const text = 'Hello, World!';

  test("gives GitHub's published signature", async () => {
    const signer = hmacSigner({
      ...{ secret: 'GITHUB', header: 'x-hub-signature-256', prefix: 'sha256=' },
    });
    expect(await headersOf(signer, { text })).toEqual({
      'x-hub-signature-256':
        'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
    });
  });

  test('signs what it is told to, as it is told to', async () => {
    const signer = hmacSigner({
      ...{ secret: 'GITHUB', algorithm: 'sha512', encoding: 'base64' },
      content: ({ method, url, headers, body }) =>
        `${method} ${new URL(url).pathname} ${String(headers['x-time'])} ${body.length}`,
    });
    const request = { url: 'https://api.test/a?b', headers: { 'x-time': '17' }, text };
    const hmac = createHmac('sha512', SECRETS['GITHUB']!).update('POST /a 17 13');
    expect(await headersOf(signer, request)).toEqual({ 'x-signature': hmac.digest('base64') });
  });

  test('is what a server that verifies gets, also after a redirect', async () => {
    await using sender = new Sender({
      secrets: (name) => SECRETS[name],
      preprocessors: {
        stamp: () => ({ headers: { 'x-time': String(Date.now()) } }),
        sign: hmacSigner({
          secret: 'GITHUB',
          content: ({ url, headers, body }) =>
            Buffer.concat([Buffer.from(`${url} ${String(headers['x-time'])} `), body]),
        }),
      },
    });
    const before = target.hits.length;
    await sender.send({
      ...{ url: target.url('/redirect-to?status=307&url=/echo?a=1'), method: 'PUT' },
      body: { kind: 'json', value: { ü: 1 } },
      preprocessors: ['stamp', 'sign'],
    });
    const hits = target.hits.slice(before);
    expect(hits).toHaveLength(2);
    for (const { path, headers, body } of hits) {
      const hmac = createHmac('sha256', SECRETS['GITHUB']!);
      hmac.update(`${target.origin}${path} ${String(headers['x-time'])} ${body}`);
      expect(headers['x-signature']).toBe(hmac.digest('hex'));
    }
  });
});

describe('Standard Webhooks', () => {
  const at = new Date(1614265330_999).toISOString();
  const message = {
    headers: { 'x-request-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek' },
    text: '{"test": 2432232314}',
  };
  const v1 = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
  const v1a =
    'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==';

  test.each([
    ['v1', 'WHSEC', v1],
    ['v1a', 'WHSK', v1a],
    ['v1a of the key alone', 'SEED', v1a],
    ['both, while one replaces the other', ['WHSEC', 'WHSK'], `${v1} ${v1a}`],
  ])('%s gives the published signature', async (_scheme, secret, signature) => {
    expect(await headersOf(webhookSigner({ secret }), message, at)).toEqual({
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': signature,
    });
  });

  test('an id of the request goes before its request id, and no id has a dot', async () => {
    const signer = webhookSigner({ secret: 'WHSEC' });
    const id = async (headers: FinalRequest['headers']): Promise<unknown> =>
      (await headersOf(signer, { headers }))['webhook-id'];
    expect(await id({ 'x-request-id': 'a', 'webhook-id': 'b' })).toBe('b');
    expect(await id({ 'x-request-id': 'a%20b' })).toBe('a%20b');
    expect(await id({ 'x-request-id': 'a.b%2Ec' })).toBe('a%2Eb%252Ec');
  });

  test('tries have one id, timestamps of their own, and verify with the public key', async () => {
    await using sender = new Sender({
      secrets: (name) => SECRETS[name],
      preprocessors: { sign: webhookSigner({ secret: ['WHSK'] }) },
    });
    const before = target.hits.length;
    const request = { url: target.url('/status/200'), method: 'POST' } as const;
    const body = { kind: 'json', value: { a: 'ü' } } as const;
    for (const at of ['2026-01-01T00:00:00Z', '2026-01-01T00:00:10Z']) {
      vi.useFakeTimers({ toFake: ['Date'], now: new Date(at) });
      await sender.send({ ...request, body, requestId: 'order-17', preprocessors: ['sign'] });
      vi.useRealTimers();
    }
    const hits = target.hits.slice(before);
    expect(hits.map(({ headers }) => headers['webhook-timestamp'])).toEqual([
      ...['1767225600', '1767225610'],
    ]);
    const x = Buffer.from(SECRETS['WHSK']!.slice(5), 'base64').subarray(32).toString('base64url');
    const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
    for (const { headers, body } of hits) {
      expect(headers['webhook-id']).toBe('order-17');
      const signed = Buffer.from(`order-17.${String(headers['webhook-timestamp'])}.${body}`);
      const signature = String(headers['webhook-signature']).slice('v1a,'.length);
      expect(verify(null, signed, key, Buffer.from(signature, 'base64'))).toBe(true);
    }
  });

  test.each(['BAD', 'GITHUB'])('a key that is none is an error without it: %s', async (secret) => {
    await expect(headersOf(webhookSigner({ secret }), message)).rejects.toMatchObject({
      ...{ type: 'PreprocessorError', transient: false },
      message: expect.stringMatching(new RegExp(`^secret ${secret}: expected whsec_`)),
    });
  });
});

describe('AWS Signature Version 4', () => {
  const options = { region: 'us-east-1', service: 'service' };
  const form = 'application/x-www-form-urlencoded';
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  const unreserved = `-._~0123456789${letters}`;

  // AWS' test suite, but for what no URL or header of ours can be: paths that are not encoded yet,
  // a header over several lines, and content-length among what is signed.
  const VECTORS: [
    name: string,
    path: string,
    headers: FinalRequest['headers'],
    signature: string,
    text?: string,
  ][] = [
    ['get-header-key-duplicate', '/', { 'my-header1': ['value2', 'value2', 'value1'] }, 'c9d5ea9f'],
    [
      'get-header-value-order',
      '/',
      { 'my-header1': ['value4', 'value1', 'value3', 'value2'] },
      '08c7e5a9',
    ],
    [
      'get-header-value-trim',
      '/',
      { 'my-header1': ' value1', 'my-header2': ' "a   b   c"' },
      'acc3ed3a',
    ],
    ['get-unreserved', `/${unreserved}`, {}, '07ef7494'],
    ['get-vanilla', '/', {}, '5fa00fa3'],
    ['get-vanilla-empty-query-key', '/?Param1=value1', {}, 'a67d582f'],
    ['get-vanilla-query-order-key', '/?Param1=value2&Param1=Value1', {}, 'eedbc4e2'],
    ['get-vanilla-query-order-key-case', '/?Param2=value2&Param1=value1', {}, 'b97d918c'],
    ['get-vanilla-query-order-value', '/?Param1=value2&Param1=value1', {}, '5772eed6'],
    ['get-vanilla-query-unreserved', `/?${unreserved}=${unreserved}`, {}, '9c3e54bf'],
    ['get-vanilla-utf8-query', '/?ሴ=bar', {}, '2cdec8ee'],
    ['get-relative-relative', '/example1/example2/../..', {}, '5fa00fa3'],
    ['get-slash-pointless-dot', '/./example', {}, 'ef75d961'],
    ['get-slashes', '//example//', {}, '9a624bd7'],
    ['post-vanilla', '/', {}, '5da7c1a2'],
    ['post-header-key-sort', '/', { 'my-header1': 'value1' }, 'c5410059'],
    ['post-header-value-case', '/', { 'my-header1': 'VALUE1' }, 'cdbc9802'],
    ['post-vanilla-query', '/?Param1=value1', {}, '28038455'],
    ['post-x-www-form-urlencoded', '/', { 'content-type': form }, 'ff118979', 'Param1=value1'],
  ];
  test.each(VECTORS)('%s', async (name, path, headers, signature, text = '') => {
    const signed = await headersOf(
      awsSigner(options),
      {
        ...{ method: name.startsWith('get') ? 'GET' : 'POST', text },
        url: new URL(`https://example.amazonaws.com${path}`).href,
        headers: { ...headers, 'accept-encoding': 'gzip', 'x-request-id': '1', 'user-agent': 'x' },
      },
      '2015-08-30T12:36:00Z',
    );
    const names = ['host', 'x-amz-date', ...Object.keys(headers)].sort().join(';');
    expect(signed).toMatchObject({ 'x-amz-date': '20150830T123600Z' });
    expect(signed['authorization']).toMatch(
      new RegExp(
        '^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ' +
          `SignedHeaders=${names}, Signature=${signature}`,
      ),
    );
  });

  test('post-sts-header-before: temporary credentials', async () => {
    const request = { url: 'https://example.amazonaws.com/' };
    const signer = awsSigner({ ...options, sessionToken: 'TOKEN' });
    expect(await headersOf(signer, request, '2015-08-30T12:36:00Z')).toMatchObject({
      'x-amz-security-token': SECRETS['TOKEN'],
      authorization: expect.stringMatching(
        /Signature=85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead$/,
      ),
    });
  });

  test("S3's published example, whose path is escaped once", async () => {
    SECRETS['S3_ID'] = 'AKIAIOSFODNN7EXAMPLE';
    SECRETS['S3_KEY'] = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
    const signer = awsSigner({
      ...{ region: 'us-east-1', service: 's3', accessKeyId: 'S3_ID', secretAccessKey: 'S3_KEY' },
    });
    const request = {
      method: 'PUT',
      url: 'https://examplebucket.s3.amazonaws.com/test%24file.text',
      headers: {
        date: 'Fri, 24 May 2013 00:00:00 GMT',
        'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      },
      text: 'Welcome to Amazon S3.',
    } as const;
    const signed = await headersOf(signer, request, '2013-05-24T00:00:00Z');
    expect(signed['x-amz-content-sha256']).toBe(
      '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    );
    // The published one signs the Date header too, which the library leaves out.
    expect(signed['authorization']).toContain(
      'SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-storage-class, ',
    );
  });

  test('on the wire: what it signed is what arrives', async () => {
    await using sender = new Sender({
      secrets: (name) => SECRETS[name],
      preprocessors: { aws: awsSigner({ ...options, sessionToken: 'TOKEN' }) },
    });
    const before = target.hits.length;
    const response = await sender.send({
      ...{ url: target.url('/echo?a=1'), method: 'PUT' },
      body: { kind: 'json', value: { a: 1 } },
      preprocessors: ['aws'],
    });
    const { headers } = target.hits[before]!;
    expect(headers.authorization).toMatch(
      /SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, /,
    );
    expect(headers.host).toBe(`127.0.0.1:${target.port}`);
    expect(response.body).toContain('Credential=[secret AWS_ACCESS_KEY_ID]/');
    expect(response.body).toContain('"x-amz-security-token":["[secret TOKEN]"]');
  });
});
