import { METHODS } from '../../src/shared/constants.ts';
import type { RequestSpec } from '../../src/shared/wire.ts';

/** By field: value given, what the checked spec has in its place (default: the same). */
export const ACCEPTED: Record<keyof RequestSpec, [given: unknown, checked?: unknown][]> = {
  url: [
    ['https://api.test/a?b=1#c', 'https://api.test/a?b=1'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080/'],
    ['HTTPS://API.test/ä b', 'https://api.test/%C3%A4%20b'],
    ['http://[::1]/'],
  ],
  method: [...METHODS.map((m): [string] => [m]), ['get', 'GET'], ['pAtCh', 'PATCH']],
  headers: [
    [{}],
    [
      { Accept: 'text/plain', 'X-A': ['1', '2'] },
      { accept: 'text/plain', 'x-a': ['1', '2'] },
    ],
    [
      {
        Authorization: { $secret: 'API_KEY', prefix: 'Bearer ' },
        'X-Basic': { $secret: 'a.b-c', username: 'me' },
      },
      {
        authorization: { $secret: 'API_KEY', prefix: 'Bearer ' },
        'x-basic': { $secret: 'a.b-c', username: 'me' },
      },
    ],
    [{ 'x-empty': '', 'x-latin': 'é', 'x-tab': 'a\tb' }],
  ],
  params: [
    [{}],
    [{ a: 1, b: true, c: null, d: 'x', e: [1, null, 'y'], f: [] }],
    [{ key: { $secret: 'n'.repeat(128) }, token: { $secret: '_', prefix: 'ü' } }],
  ],
  body: [['text'], ['']],
  json: [[null], [false], [0], [''], [[1]], [{ a: { b: [] } }]],
  form: [[{}], [{ a: 1, b: ['x', null, false] }]],
  bodyBase64: [[''], ['YQ=='], ['YWI='], ['YWJj'], ['//++']],
  multipart: [
    [
      [
        { name: 'a', value: '' },
        { name: 'ü "b"', valueBase64: 'YQ==', filename: 'ä.bin', contentType: 'a/b; c="d e"' },
        { name: 'c', json: null },
      ],
    ],
  ],
  timeout: [
    ['30s', 30_000],
    [1],
    ['1.1s', 1100],
    [2 ** 31 - 1],
    ['24 days', 24 * 86_400_000],
    ['250', 250],
  ],
  connectTimeout: [['2s', 2000]],
  firstByteTimeout: [['5m', 300_000]],
  idleTimeout: [[1500]],
  maxRedirects: [[0], [50]],
  allowDowngrade: [[true], [false]],
  maxResponseSize: [[1], [100 * 1024 * 1024]],
  raiseErrorResponses: [[true], [false]],
  retry: [
    [{}],
    [
      { maximumAttempts: 1, statuses: [], initialInterval: '1s', maximumInterval: '1s' },
      { maximumAttempts: 1, statuses: [], initialInterval: 1000, maximumInterval: 1000 },
    ],
    [{ maximumAttempts: 1000, backoffCoefficient: 1, maxRetryAfter: 0, statuses: [100, 599] }],
  ],
  resend: [['auto'], ['always'], ['never']],
  idempotencyKey: [[true], [false], ['k'], ['k'.repeat(255)]],
  deadline: [['1h', 3_600_000]],
  heartbeatTimeout: [
    ['1s', 1000],
    ['10m', 600_000],
  ],
  callback: [
    ['orderPriced'],
    [{ workflow: 'orderPriced' }],
    [
      { workflow: 'w', taskQueue: 'q', retry: { maximumAttempts: 5, initialInterval: '2s' } },
      { workflow: 'w', taskQueue: 'q', retry: { maximumAttempts: 5, initialInterval: 2000 } },
    ],
    [{ signal: 's', workflowId: 'w' }],
  ],
  callbackArgs: [[null], [0], ['x'], [[1, [true]]], [{ a: { b: [null, 1.5] } }]],
  result: [['full'], ['status'], ['none']],
  preprocessors: [[[]], [['sign', 'stamp', 'sign']]],
  protocol: [['auto'], ['http1']],
  proxyUrl: [[null], ['http://proxy.test:3128/'], [{ $secret: 'PROXY' }]],
  flow: [
    [{}],
    [{ key: 'openai', rate: 0.5, concurrency: 3 }],
    [
      { rate: 100_000, period: '1m', burst: 5000, cost: { estimate: 900, pointer: '/usage/a~1b' } },
      {
        rate: 100_000,
        period: 60_000,
        burst: 5000,
        cost: { estimate: 900, pointer: '/usage/a~1b' },
      },
    ],
    [{ cost: 2.5 }],
  ],
  priority: [
    [{}],
    [{ priorityKey: 1, fairnessKey: 'é'.repeat(32), fairnessWeight: 0.1 }],
    [{ priorityKey: 5 }],
  ],
  requestId: [['order-1/x%20?'], ['r'.repeat(255)]],
};
