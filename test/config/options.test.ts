import { createSecretKey } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { optionsFromEnvironment, variableOf } from '../../src/config/environment.ts';
import { optionsSchema, resolveOptions, type PatientOptions } from '../../src/config/options.ts';
import { describeValue } from '../../src/config/problems.ts';
import { configError, fieldsOf, SECRET, withField } from './refuse.ts';

const KEY = Buffer.alloc(32, 2).toString('base64');

/** By option: wrong value, its text in the environment if it has one, what is expected. */
type Wrong = [value: unknown, text: string | undefined, expected: string];

const duration = "expected milliseconds or a duration such as '30s'";

function durations(min = 1): Wrong[] {
  return [
    [-5, '-5', duration],
    ['soon', 'soon', duration],
    ['25 days', '25 days', `expected ${min} to 2147483647 ms (24.8 days)`],
    [NaN, undefined, duration],
    [{}, undefined, duration],
  ];
}

function integers(min: number, max?: number): Wrong[] {
  const expected = `expected an integer from ${min}${max === undefined ? '' : ` to ${max}`}`;
  return [
    [min - 1, String(min - 1), expected],
    [2.5, '2.5', expected],
    ['many', 'many', expected],
    ['7', undefined, expected],
    [NaN, 'NaN', expected],
    [Infinity, 'Infinity', expected],
  ];
}

const flags: Wrong[] = [
  ['yes', 'yes', 'expected true or false'],
  ['TRUE', 'TRUE', 'expected true or false'],
  [1, undefined, 'expected true or false'],
  [null, undefined, 'expected true or false'],
];

const METRICS =
  'expected prometheus://address:port, or grpc://, grpcs://, http:// or https:// and a collector';

const names: Wrong[] = [
  ['', undefined, 'expected 1 to 1000 bytes'],
  [5, undefined, 'expected 1 to 1000 bytes'],
  ['n'.repeat(1001), 'n'.repeat(1001), 'expected 1 to 1000 bytes'],
  ['ñ'.repeat(501), 'ñ'.repeat(501), 'expected 1 to 1000 bytes'],
];

const files: Wrong[] = [
  ['', undefined, 'expected the path of a PEM file'],
  [5, undefined, 'expected the path of a PEM file'],
];

const WRONG: Record<string, Wrong[]> = {
  flow: [
    [5, '5', 'expected an object of keys and their limits, got 5'],
    ['{"a":', '{"a":', 'expected an object of keys and their limits, got "{\\"a\\":"'],
  ],
  maxWaiting: integers(1),
  taskQueue: names,
  maxConnections: integers(1),
  requestTimeout: durations(),
  connectTimeout: durations(),
  maxResponseSize: integers(1, 104857600),
  maxRedirects: integers(0, 50),
  raiseErrorResponses: flags,
  idleConnectionTimeout: durations(),
  maxIdleConnections: integers(0),
  proxyUrl: [[5, undefined, 'expected an http:// or https:// URL of a proxy']],
  noProxy: [['a.example', undefined, 'expected an array of hosts, addresses or CIDRs']],
  tls: [['TLSv1.3', undefined, 'expected { caFile, certFile, keyFile, minVersion }']],
  'tls.caFile': files,
  'tls.certFile': files,
  'tls.keyFile': files,
  'tls.minVersion': [
    ['TLSv1.1', 'TLSv1.1', "expected 'TLSv1.2', 'TLSv1.3'"],
    [1.2, '1.2', "expected 'TLSv1.2', 'TLSv1.3'"],
  ],
  userAgent: [
    ['', undefined, 'expected at least one character'],
    ['a\r\nx: y', 'a\r\nx: y', 'expected characters that a header can hold'],
    [5, undefined, 'expected a string'],
  ],
  redisUrl: [[5, undefined, 'expected a redis:// or rediss:// URL']],
  leaseTtl: durations(1000),
  shutdownTimeout: durations(0),
  drainTimeout: durations(0),
  maxCrashes: integers(0),
  batchDirectory: names,
  callbackTaskQueue: names,
  secretsDirectory: [
    ['', undefined, 'expected the path of a directory'],
    [5, undefined, 'expected the path of a directory'],
  ],
  retry: [[3, undefined, 'expected an object of retry options']],
  'retry.maximumAttempts': integers(1, 1000),
  'retry.statuses': [[503, undefined, 'expected an array of statuses']],
  'retry.initialInterval': durations(),
  'retry.backoffCoefficient': [
    [0.5, '0.5', 'expected a number from 1'],
    ['x', 'x', 'expected a number from 1'],
  ],
  'retry.maximumInterval': durations(),
  'retry.maxRetryAfter': durations(0),
  allowPrivateAddresses: flags,
  allowAddresses: [['10.0.0.0/8', undefined, 'expected an array of addresses or CIDRs']],
  allowHosts: [['a.example', undefined, 'expected an array of hosts']],
  denyHosts: [['a.example', undefined, 'expected an array of hosts']],
  compress: flags,
  encryptionKeys: [[{}, undefined, 'expected an array of keys']],
  payloadStore: [[[], undefined, 'expected file:///folder, redis://…, rediss://…, s3://bucket or']],
  payloadThreshold: integers(1),
  payloadRetention: [
    [-5, '-5', 'expected a day or more'],
    ['23h', '23h', 'expected a day or more'],
    ['for ever', 'for ever', 'expected a day or more'],
    [Infinity, undefined, 'expected a day or more'],
  ],
  listen: [
    ['8080', '8080', 'expected host:port such as 127.0.0.1:8080'],
    ['localhost:65536', 'localhost:65536', 'expected host:port such as 127.0.0.1:8080'],
    ['http://localhost:80', 'http://localhost:80', 'expected host:port such as 127.0.0.1:8080'],
    ['::1:80', '::1:80', 'expected host:port such as 127.0.0.1:8080'],
    ['[1:2]:80', '[1:2]:80', 'expected host:port such as 127.0.0.1:8080'],
    [8080, undefined, 'expected host:port such as 127.0.0.1:8080'],
  ],
  metrics: [
    ...[
      '9464',
      'localhost:9464',
      'prometheus://localhost:9464',
      'prometheus://127.0.0.1',
      'ftp://a',
    ].map((text): Wrong => [text, text, METRICS]),
    [9464, undefined, METRICS],
  ],
  tracing: flags,
  dashboard: flags,
  temporalUi: [
    ['localhost:8233', 'localhost:8233', 'expected an http:// or https:// URL'],
    [8233, undefined, 'expected an http:// or https:// URL'],
  ],
  deployment: [['v1', undefined, 'expected { name, buildId }']],
  'deployment.name': names,
  'deployment.buildId': names,
  logLevel: [
    ['loud', 'loud', "expected 'trace', 'debug', 'info', 'warn', 'error'"],
    [1, undefined, "expected 'trace', 'debug', 'info', 'warn', 'error'"],
  ],
};

/** The rest of what a group needs, so that only the field under test is wrong. */
const COMPLETE: Record<string, object> = {
  deployment: { deployment: { name: 'n', buildId: 'b' } },
  tls: { tls: { certFile: 'c', keyFile: 'k' } },
};

describe.each(Object.entries(WRONG))('%s', (option, cases) => {
  const base = COMPLETE[option.split('.')[0]!] ?? {};

  test.each(cases)('%o is refused', (value, _text, expected) => {
    const message = configError(() => resolveOptions(withField(base, option, value)));

    expect(message.startsWith(`${option}: ${expected}`)).toBe(true);
    expect(message.endsWith(`, got ${describeValue(value)}`)).toBe(true);
    expect(message).not.toContain('; ');
  });

  test.each(cases.filter(([, text]) => text !== undefined))(
    '%o is refused as a variable',
    (_value, text = '', expected) => {
      const variable = variableOf(option);
      const rest = variable.startsWith('PATIENT_DEPLOYMENT_') ? deploymentVariables : {};
      const message = configError(() => optionsFromEnvironment({ ...rest, [variable]: text }));

      expect(message.startsWith(`${variable}: ${expected}`)).toBe(true);
      expect(message).toContain(JSON.stringify(text).slice(1, 90).replace(/"$/, ''));
      expect(message).not.toContain('; ');
    },
  );
});

const deploymentVariables = { PATIENT_DEPLOYMENT_NAME: 'n', PATIENT_DEPLOYMENT_BUILD_ID: 'b' };

it('covers every option', () => {
  const { properties } = z.toJSONSchema(optionsSchema, { io: 'input', unrepresentable: 'any' });

  expect(Object.keys(WRONG).sort()).toEqual(fieldsOf(properties!).sort());
});

describe('further refusals', () => {
  test.each([
    ['10', 'got "10"'],
    ['10/8', 'got "10/8"'],
    ['10.0.0.0/33', 'got "10.0.0.0/33"'],
    ['10.0.0.0/8/8', 'got "10.0.0.0/8/8"'],
    ['0x7f.0.0.1', 'got "0x7f.0.0.1"'],
    ['::/129', 'got "::/129"'],
    ['10.0.0.1:0', 'got "10.0.0.1:0"'],
    ['10.0.0.1:65536', 'got "10.0.0.1:65536"'],
    ['10.0.0.0/8:80', 'got "10.0.0.0/8:80"'],
    ['[::1/128]:80', 'got "[::1/128]:80"'],
    ['[10.0.0.1]:80', 'got "[10.0.0.1]:80"'],
    ['localhost:80', 'got "localhost:80"'],
    [':80', 'got ":80"'],
    ['localhost', 'got "localhost"'],
    ['', 'got ""'],
  ])('%s is no network', (address, got) => {
    const message = configError(() => resolveOptions({ allowAddresses: ['::1', address] }));

    expect(message).toBe(
      `allowAddresses[1]: expected an address or CIDR such as 10.0.0.0/8, ${got}`,
    );
  });

  test.each([
    '',
    '*',
    '*.',
    '.example.com',
    'a..example.com',
    'a.*.example.com',
    'https://example.com',
    'example.com:443',
    'example.com/path',
    'user@example.com',
    'example com',
    '%65xample.com',
    'xn--',
    '10.0.0.1',
    '0x7f.1',
    '*.0.0.1',
    '[::1]',
    '::1',
  ])('%s is no host', (host) => {
    const message = configError(() => resolveOptions({ denyHosts: ['a.example', host] }));

    expect(message).toBe(
      'denyHosts[1]: expected a host name such as api.example.com or *.example.com, ' +
        `got ${JSON.stringify(host)}`,
    );
  });

  test('a status, a half deployment, contradicting intervals', () => {
    const message = configError(() =>
      resolveOptions({
        retry: { statuses: [200, 1000], initialInterval: '2m' },
        deployment: { name: 'n' },
        logLevel: 'loud',
      } as never),
    );

    expect(message.split('; ')).toEqual([
      'retry.statuses[1]: expected an integer from 100 to 599, got 1000',
      'retry.maximumInterval: expected at least initialInterval (120000 ms), got 60000 ms',
      'deployment.buildId: expected 1 to 1000 bytes, got undefined',
      "logLevel: expected 'trace', 'debug', 'info', 'warn', 'error', got \"loud\"",
    ]);
  });

  test('options that do not exist', () => {
    const unknown = { maxConnection: 5, retry: { tries: 1 } };

    expect(configError(() => resolveOptions(unknown as PatientOptions))).toBe(
      'retry.tries: unknown field; maxConnection: unknown field',
    );
  });

  test.each(['localhost:6379', 'http://localhost', 'x://:s3cret@localhost'])(
    'redisUrl %s, without showing what can hold a password',
    (redisUrl) => {
      expect(configError(() => resolveOptions({ redisUrl }))).toBe(
        'redisUrl: expected a redis:// or rediss:// URL, got another string',
      );
    },
  );

  test.each([
    `socks5://user:${SECRET}@proxy`,
    `user:${SECRET}@proxy:3128`,
    `http://user:${SECRET}@proxy/path`,
    `http://user:${SECRET}@proxy?x`,
    `http://user:%zz${SECRET}@proxy`,
  ])('proxyUrl %s, without showing its password', (url) => {
    expect(configError(() => resolveOptions({ proxyUrl: url }))).toBe(
      'proxyUrl: expected an http:// or https:// URL of a proxy, got another string',
    );
  });

  test.each(['http://a', '10.0.0.0/33', '*', 'a:80', ''])('noProxy %o', (entry) => {
    expect(configError(() => resolveOptions({ noProxy: ['ok.example', entry] }))).toContain(
      'noProxy[1]: expected a host',
    );
  });
});

describe('payload options', () => {
  const form = "expected { id, key } or 'id:key'";

  test.each<[unknown, string]>([
    [SECRET, `[0]: ${form}, the id 1 to 100 of A-Z a-z 0-9 _ . -, got an empty string`],
    [
      `a b:${KEY}`,
      `[0]: ${form}, the id 1 to 100 of A-Z a-z 0-9 _ . -, got a string of 3 characters`,
    ],
    [{ id: 'a', key: SECRET }, '[0]: key "a": expected 32 bytes in base64, got 4 bytes'],
    [`a:${SECRET}!`, '[0]: key "a": expected 32 bytes in base64, got another string'],
    [
      { id: 'a', key: new Uint8Array(16) },
      '[0]: key "a": expected 32 bytes in base64, got 16 bytes',
    ],
    [{ id: 'a', key: 5 }, '[0].key: expected base64 or bytes, got a number'],
    [{ id: 'a', key: KEY, [SECRET.toLowerCase()]: 1 }, '[0].s3cret: unknown field'],
    [{ id: KEY, key: 'a' }, '[0]: key of another string: expected 32 bytes in base64, got 0 bytes'],
    [
      { id: `${SECRET} 1`, key: KEY },
      '[0].id: expected 1 to 255 visible ASCII characters, got a string of 8 characters',
    ],
    [5, `[0]: ${form}, got a number`],
  ])('%o is no key', (key, message) => {
    const encryptionKeys = [key] as never;

    expect(configError(() => resolveOptions({ encryptionKeys }))).toBe(`encryptionKeys${message}`);
  });

  test('two keys with one id', () => {
    expect(configError(() => resolveOptions({ encryptionKeys: [`a:${KEY}`, `a:${KEY}`] }))).toBe(
      'encryptionKeys: two keys have the id "a"',
    );
  });

  test.each([
    '/var/payloads',
    'file://var/payloads',
    'file:///',
    `http://:${SECRET}@host`,
    's3:bucket',
    's3://bucket?region=eu-north-1',
    'file:///var/payloads?mode=0700',
    'redis:///',
    'redis://host/0#1',
    's3://bucket#prefix',
    `s3://AKIA:${SECRET}@bucket`,
    'file:///var/payloads#1',
  ])('payloadStore %s, without showing what can hold a password', (payloadStore) => {
    expect(configError(() => resolveOptions({ payloadStore }))).toBe(
      'payloadStore: expected file:///folder, redis://…, rediss://…, s3://bucket or an object with ' +
        `name, put and get, got a string of ${payloadStore.length} characters`,
    );
  });

  test('an age for what a bucket deletes by itself', () => {
    const options = { payloadStore: 's3://bucket', payloadRetention: '30 days' } as const;

    expect(configError(() => resolveOptions(options))).toBe(
      'payloadRetention: expected none with an s3:// payloadStore, got 2592000000 ms; give the ' +
        'bucket a lifecycle rule',
    );
  });
});

test('an age for a store of your own that deletes nothing', () => {
  const payloadStore = { name: 'own', put: async () => undefined, get: async () => undefined };

  expect(configError(() => resolveOptions({ payloadStore, payloadRetention: '2 days' }))).toBe(
    'payloadRetention: expected none with a payloadStore that has no expire, got 172800000 ms; give it one',
  );
});

test('a dashboard without an address to serve it at is refused', () => {
  expect(configError(() => resolveOptions({ dashboard: true }))).toBe(
    'dashboard: expected `listen`, the address to serve it at, got none',
  );
});

describe('accepted options', () => {
  it('are complete without any', () => {
    expect(resolveOptions()).toEqual({
      taskQueue: 'patient-http',
      maxConnections: 1000,
      requestTimeout: 60_000,
      connectTimeout: 10_000,
      maxResponseSize: 1024 * 1024,
      maxRedirects: 5,
      raiseErrorResponses: false,
      idleConnectionTimeout: 60_000,
      maxIdleConnections: 1000,
      noProxy: [],
      tls: { minVersion: 'TLSv1.2' },
      userAgent: 'patient-http',
      leaseTtl: 10_000,
      shutdownTimeout: 30_000,
      drainTimeout: 600_000,
      maxCrashes: 3,
      retry: {
        maximumAttempts: 3,
        statuses: [408, 425, 429, 500, 502, 503, 504],
        initialInterval: 1000,
        backoffCoefficient: 2,
        maximumInterval: 60_000,
        maxRetryAfter: 600_000,
      },
      allowPrivateAddresses: false,
      allowAddresses: [],
      allowHosts: [],
      denyHosts: [],
      compress: false,
      encryptionKeys: [],
      payloadThreshold: 64 * 1024,
      flow: {},
      maxWaiting: 1000,
      tracing: false,
      dashboard: false,
      logLevel: 'info',
    });
  });

  const given: Required<PatientOptions> = {
    taskQueue: 'q',
    maxConnections: 1,
    requestTimeout: '5m',
    connectTimeout: 1,
    maxResponseSize: 1,
    maxRedirects: 0,
    raiseErrorResponses: true,
    idleConnectionTimeout: '1s',
    maxIdleConnections: 10,
    proxyUrl: 'http://user:pass@proxy.example:3128',
    noProxy: ['*.Internal', 'db.example', '10.0.0.0/8', '::1'],
    tls: { caFile: '/ca.pem', certFile: '/c.pem', keyFile: '/k.pem', minVersion: 'TLSv1.3' },
    userAgent: 'me/1.0 (é)',
    redisUrl: 'rediss://user:pass@redis.example:6380/2',
    leaseTtl: '1s',
    shutdownTimeout: 0,
    drainTimeout: 0,
    maxCrashes: 0,
    batchDirectory: '/srv/batches',
    callbackTaskQueue: 'callbacks',
    secretsDirectory: '/run/secrets',
    retry: {
      maximumAttempts: 1,
      statuses: [],
      initialInterval: '2s',
      backoffCoefficient: 1,
      maximumInterval: '2s',
      maxRetryAfter: 0,
    },
    allowPrivateAddresses: true,
    allowAddresses: ['10.0.0.0/8', '192.168.1.7', 'fd00::/8', '::1', '10.0.0.1:80', '[::1]:80'],
    allowHosts: ['API.example.', '*.Müller.example', 'under_score', 'localhost'],
    denyHosts: ['*.internal'],
    compress: true,
    encryptionKeys: [{ id: 'a.1', key: Buffer.alloc(32, 1) }, `b-2:${KEY}`],
    payloadStore: 'redis://user:pass@redis.example/1',
    payloadThreshold: 1,
    payloadRetention: '60 days',
    flow: {
      'api.example': { rate: 10, concurrency: 5 },
      openai: { rate: 1e5, period: '1m', breaker: { failures: 5, openFor: '30s' } },
    },
    maxWaiting: 1,
    listen: '[::1]:8080',
    metrics: 'prometheus://[::]:9464',
    tracing: true,
    dashboard: true,
    temporalUi: 'https://temporal.example.com/ui/',
    deployment: { name: 'n', buildId: 'b' },
    logLevel: 'trace',
  };

  it('are resolved to ms, bytes and CIDRs', () => {
    expect(resolveOptions(given)).toEqual({
      ...given,
      requestTimeout: 300_000,
      idleConnectionTimeout: 1000,
      leaseTtl: 1000,
      proxyUrl: 'http://user:pass@proxy.example:3128/',
      noProxy: ['*.internal', 'db.example', '10.0.0.0/8', '::1/128'],
      listen: { host: '::1', port: 8080 },
      temporalUi: 'https://temporal.example.com/ui',
      retry: { ...given.retry, initialInterval: 2000, maximumInterval: 2000 },
      allowAddresses: [
        '10.0.0.0/8',
        '192.168.1.7/32',
        'fd00::/8',
        '::1/128',
        '10.0.0.1:80',
        '[::1]:80',
      ],
      allowHosts: ['api.example', '*.xn--mller-kva.example', 'under_score', 'localhost'],
      encryptionKeys: [
        { id: 'a.1', key: createSecretKey(Buffer.alloc(32, 1)) },
        { id: 'b-2', key: createSecretKey(Buffer.alloc(32, 2)) },
      ],
      payloadRetention: 60 * 24 * 3_600_000,
      flow: {
        'api.example': { rate: 10, period: 1000, concurrency: 5 },
        openai: { rate: 1e5, period: 60_000, breaker: { failures: 5, openFor: 30_000 } },
      },
    });
  });

  it('hold keys that no log prints', () => {
    const { encryptionKeys } = resolveOptions({ encryptionKeys: [`a:${KEY}`] });

    expect(inspect(encryptionKeys)).not.toContain('02');
    expect(JSON.stringify(encryptionKeys)).toBe('[{"id":"a","key":{}}]');
  });

  test('a key can have the name that it has elsewhere', () => {
    const id = 'arn:aws:kms:eu-north-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';

    expect(resolveOptions({ encryptionKeys: [{ id, key: KEY }] }).encryptionKeys).toMatchObject([
      { id },
    ]);
  });

  test.each([
    'file:///var/payloads',
    'rediss://r',
    's3://bucket',
    's3://bucket/a/b?endpoint=http://m',
  ])('payloadStore can be %s', (payloadStore) => {
    expect(resolveOptions({ payloadStore }).payloadStore).toBe(payloadStore);
  });

  it('leave a store of your own as it is', () => {
    const store = {
      name: 'mine',
      client: {},
      put: async () => undefined,
      get: async () => undefined,
    };

    expect(resolveOptions({ payloadStore: store }).payloadStore).toBe(store);
    expect(Object.isFrozen(store) || Object.isFrozen(store.client)).toBe(false);
  });

  it('are frozen through and through, and not the object given', () => {
    const options = resolveOptions(given);

    expect(Object.isFrozen(options)).toBe(true);
    expect(Object.isFrozen(options.retry.statuses)).toBe(true);
    expect(Object.isFrozen(given.retry)).toBe(false);
  });

  it('never end a drain before the shutdown timeout', () => {
    expect(resolveOptions({ shutdownTimeout: '1h' }).drainTimeout).toBe(3_600_000);
  });
});

test('limits of a flow key are checked as those of a spec', () => {
  const wrong: [limits: unknown, expected: string][] = [
    [{ rate: 0 }, 'flow.api.rate: expected a number above 0, got 0'],
    [{ period: '1s' }, 'flow.api.period: expected a rate beside it, got "1s"'],
    [{ concurrency: 0 }, 'flow.api.concurrency: expected an integer from 1, got 0'],
    [{ cost: 1 }, 'flow.api.cost: unknown field'],
    [{ breaker: { failures: 1 } }, 'flow.api.breaker.openFor: expected milliseconds'],
    [5, 'flow.api: expected { rate, period, burst, concurrency, breaker }, got 5'],
  ];
  for (const [limits, expected] of wrong) {
    expect(
      configError(() => resolveOptions({ flow: { api: limits } } as PatientOptions)),
    ).toContain(expected);
  }
  const long = { flow: { ['k'.repeat(10_240)]: {} } };
  expect(configError(() => resolveOptions(long))).toContain(
    `flow: expected 1 to 255 visible ASCII characters, got "${'k'.repeat(99)}`,
  );
});
