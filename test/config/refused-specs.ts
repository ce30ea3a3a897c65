import { SECRET } from './refuse.ts';

/** A wrong value, and what the message says after the field's name. */
export type Case = [value: unknown, ...message: string[]];

const millis = 'expected milliseconds or a duration';
const tooLong = '2147483647 ms (24.8 days)';
const durations: Case[] = [
  [-5, millis, 'got -5'],
  [0, 'expected 1 to', 'got 0'],
  ['0.2ms', 'expected 1 to', 'got "0.2ms"'],
  ['25 days', tooLong, 'got "25 days"'],
  [2 ** 31, tooLong, 'got 2147483648'],
  ['soon', millis, 'got "soon"'],
  ['-5s', millis, 'got "-5s"'],
  [NaN, millis, 'got NaN'],
  [Infinity, millis, 'got Infinity'],
  [true, millis, 'got true'],
  [null, millis, 'got null'],
  [{}, millis, 'got an object'],
];

function integers(min: number, max: number): Case[] {
  return [min - 1, max + 1, 1.5, NaN, Infinity, '3', true, null].map((value) => [
    value,
    `expected an integer from ${min} to ${max}`,
    `got ${typeof value === 'string' ? JSON.stringify(value) : value}`,
  ]);
}

const flags: Case[] = [
  ['yes', 'expected true or false', 'got "yes"'],
  [1, 'expected true or false', 'got 1'],
  [null, 'expected true or false', 'got null'],
];

const choices: Case[] = [
  ['maybe', "expected '", 'got "maybe"'],
  [1, "expected '", 'got 1'],
  [null, "expected '", 'got null'],
];

const pairs: Case[] = [
  ['a=1', 'expected an object', 'got a string of 3 characters'],
  [[['a', SECRET]], 'expected an object', 'got an array'],
  [{ a: NaN }, '.a: expected a scalar', 'got NaN'],
  [{ a: [1, Infinity] }, '.a[1]: expected a string, finite number', 'got Infinity'],
  [{ a: [[SECRET]] }, '.a[0]: expected a string, finite number', 'got an array'],
  [JSON.parse('{"__proto__":"x"}'), '.__proto__: is not a possible name'],
];

/** References to secrets that are none, and what is wrong with them. */
const secretRefs: Case[] = [
  [{ x: {} }, '.x.$secret: expected 1 to 128 letters', 'got undefined'],
  [{ x: { $secret: `${SECRET} x` } }, '.x.$secret: expected 1 to 128 letters', '8 characters'],
  [{ x: { $secret: '../etc' } }, '.x.$secret: expected 1 to 128 letters'],
  [{ x: { $secret: '' } }, '.x.$secret: expected 1 to 128 letters'],
  [{ x: { $secret: 'n'.repeat(129) } }, '.x.$secret: expected 1 to 128 letters'],
  [{ x: { $secret: 5 } }, '.x.$secret: expected 1 to 128 letters', 'got a number'],
  [{ x: { $secret: 'N', prefix: `${SECRET}\n` } }, '.x.prefix: expected text', '7 characters'],
  [{ x: { $secret: 'N', value: SECRET } }, '.x.value: unknown field'],
];

const target = { workflow: 'w', taskQueue: 'q' };

const OWNED = [
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** Wrong values by the dotted path of the field; the rest of the spec is a valid POST. */
export const REFUSED: Record<string, Case[]> = {
  url: [
    [undefined, 'expected an http or https URL', 'got undefined'],
    [null, 'expected an http or https URL', 'got null'],
    [5, 'expected an http or https URL', 'got a number'],
    ['', 'expected an http or https URL', 'got ""'],
    [`api.test/x?key=${SECRET}`, 'expected an http or https URL', 'got "api.test/x"'],
    [`/x#${SECRET}`, 'expected an http or https URL', 'got "/x"'],
    [
      `//user:${SECRET}@api.test/x`,
      'expected an http or https URL',
      'got one that cannot be parsed',
    ],
    [`https://user:${SECRET}?${SECRET}@api.test/x`, 'got one that cannot be parsed'],
    [`x?\u2028${SECRET}`, 'expected an http or https URL', 'got "x"'],
    [`localhost:8080/${SECRET}`, 'the scheme "localhost:"'],
    [`file:///etc/${SECRET}`, 'the scheme "file:"'],
    [`ftp://u:${SECRET}@api.test/`, 'the scheme "ftp:"'],
    [`data:text/plain,${SECRET}`, 'the scheme "data:"'],
    ['https://', 'expected an http or https URL', 'got "https://"'],
    ['https://a b/', 'expected an http or https URL', 'got "https://a b/"'],
    [`https://me:${SECRET}@api.test/x?${SECRET}`, 'no credentials', 'https://api.test/x'],
    [`https://${SECRET}@api.test/x`, 'no credentials', 'https://api.test/x'],
    ['https://api.test/\r\nx: 1', 'no control character', 'a string of 23 characters'],
    [`https://api.test/?${SECRET.repeat(11_000)}`, 'at most 65536 characters', 'got 66018'],
  ],
  method: [
    ['BREW', 'expected GET, HEAD, POST, PUT, PATCH, DELETE', 'got "BREW"'],
    ['CONNECT', 'expected GET', 'got "CONNECT"'],
    ['GET\r\nx: y', 'expected GET', 'got "GET\\r\\nx: y"'],
    ['', 'expected GET', 'got ""'],
    [1, 'expected GET', 'got 1'],
    [null, 'expected GET', 'got null'],
    [{ toString: 1 }, 'expected GET', 'got an object'],
  ],
  headers: [
    [SECRET, 'expected an object of header names', 'got a string of 6 characters'],
    [[['a', SECRET]], 'expected an object of header names', 'got an array'],
    [new Headers({ a: SECRET }), 'expected an object of header names', 'got a Headers'],
    [{ [`Authorization: Bearer ${SECRET}`]: '' }, 'expected header names', 'got "Authorization…"'],
    [{ '': 'x' }, 'expected header names', 'got ""'],
    [{ 'a\r\nb': 'x' }, 'expected header names', 'got "a…"'],
    [{ x: `${SECRET}\r\nevil: 1` }, '.x: expected characters that a header can hold'],
    [{ x: `${SECRET}\n` }, '.x: expected characters', 'a string of 7 characters'],
    [{ x: `${SECRET}\0` }, '.x: expected characters'],
    [{ x: `${SECRET} ☃` }, '.x: expected characters'],
    [{ x: ['fine', `${SECRET}\r`] }, '.x[1]: expected characters'],
    [{ x: [] }, '.x: '],
    [{ x: 5 }, '.x: expected a string', 'got a number'],
    [{ x: null }, '.x: expected a string', 'got null'],
    ...secretRefs,
    [{ x: [{ $secret: 'N' }] }, '.x[0]: expected a string', 'got an object'],
    [{ x: { $secret: 'N', username: 'a:b' } }, '.x.username: expected a username without a colon'],
    [{ x: { $secret: 'N', prefix: 'a', username: 'b' } }, '.x: expected prefix or username'],
    [{ 'X-Request-Id': { $secret: 'N' } }, '.X-Request-Id: cannot be a secret'],
    [{ 'idempotency-key': { $secret: 'N' } }, '.idempotency-key: cannot be a secret'],
    [{ Accept: 'a', accept: SECRET }, '.accept: is the same header as Accept'],
    [{ 'Content-Length': '5' }, '.Content-Length: is set by the transport'],
    ...OWNED.map((name): Case => [{ [name]: SECRET }, `.${name}: is set by the transport`]),
    [JSON.parse('{"__proto__":"x"}'), '.__proto__: is not a possible name'],
  ],
  params: [
    ...pairs,
    ...secretRefs,
    [{ x: { $secret: 'N', username: 'u' } }, '.x.username: unknown field'],
    [{ x: [{ $secret: 'N' }] }, '.x[0]: expected a string', 'got an object'],
  ],
  body: [
    [5, 'expected a string', 'got a number'],
    [null, 'expected a string', 'got null'],
    [Buffer.from(SECRET), 'expected a string', 'got a Buffer'],
  ],
  json: [
    [10n, 'expected a value that can be written as JSON', 'got a bigint'],
    [() => 1, 'expected a value that can be written as JSON', 'got a function'],
    [Symbol(SECRET), 'expected a value that can be written as JSON', 'got a symbol'],
    [cyclic(), 'expected a value that can be written as JSON', 'got an object'],
  ],
  form: [...pairs, [{ a: { $secret: SECRET } }, '.a: expected a scalar', 'got an object']],
  bodyBase64: [
    [`${SECRET}!!`, 'expected standard base64', 'a string of 8 characters'],
    ['YQ', 'expected standard base64', 'a string of 2 characters'],
    ['Y===', 'expected standard base64'],
    ['__-_', 'expected standard base64'],
    ['YWJj\nYWJj', 'expected standard base64'],
    [1, 'expected standard base64', 'got a number'],
  ],
  multipart: [
    [SECRET, 'expected a non-empty array of parts', 'got a string of 6 characters'],
    [[], 'expected a non-empty array of parts', 'got an array'],
    [[SECRET], '[0]: expected { name, value, valueBase64 or json,', '6 characters'],
    [[{ value: SECRET }], '[0].name: expected a string', 'got undefined'],
    [[{ name: 'a' }], '[0]: expected one of value, valueBase64 and json, got none'],
    [[{ name: 'a', value: SECRET, json: 1 }], '[0]: expected one of', 'got value and json'],
    [[{ name: `${SECRET}\r\nx: y`, value: '' }], '[0].name: expected', '12 characters'],
    [[{ name: 'a', value: '', filename: `${SECRET}\n` }], '[0].filename: expected'],
    [[{ name: 'a', value: '', filename: `${SECRET}\0` }], '[0].filename: expected'],
    [[{ name: 'a', value: '', contentType: `a/b\r\n${SECRET}` }], '[0].contentType: expected'],
    [[{ name: 'a', value: '', contentType: SECRET }], '[0].contentType: expected a media type'],
    [[{ name: 'a', valueBase64: `${SECRET}!` }], '[0].valueBase64: expected standard base64'],
    [[{ name: 'a', json: 10n }], '[0].json: expected a value that can be written as JSON'],
    [[{ name: 'a', value: 5 }], '[0].value: expected a string', 'got a number'],
    [[{ name: 'a', value: '', type: SECRET }], '[0].type: unknown field'],
  ],
  timeout: durations,
  connectTimeout: durations,
  firstByteTimeout: durations,
  idleTimeout: durations,
  maxRedirects: integers(0, 50),
  allowDowngrade: flags,
  maxResponseSize: integers(1, 104857600),
  raiseErrorResponses: flags,
  retry: [
    [3, 'expected an object of retry options', 'got 3'],
    [null, 'expected an object of retry options', 'got null'],
    [{ tries: 3 }, '.tries: unknown field'],
  ],
  'retry.maximumAttempts': integers(1, 1000),
  'retry.statuses': [
    [503, 'expected an array of statuses', 'got 503'],
    [[503, 99], '[1]: expected an integer from 100 to 599', 'got 99'],
    [[600], '[0]: expected an integer from 100 to 599', 'got 600'],
    [['503'], '[0]: expected an integer from 100 to 599', 'got "503"'],
  ],
  'retry.initialInterval': durations,
  'retry.backoffCoefficient': [
    [0.5, 'expected a number from 1', 'got 0.5'],
    [NaN, 'expected a number from 1', 'got NaN'],
    ['2', 'expected a number from 1', 'got "2"'],
  ],
  'retry.maximumInterval': durations,
  'retry.maxRetryAfter': [
    [-1, millis, 'got -1'],
    ['25d', tooLong, 'got "25d"'],
  ],
  resend: choices,
  idempotencyKey: [
    ['', 'expected 1 to 255 visible ASCII', 'got an empty string'],
    [`${SECRET} x`, 'expected 1 to 255 visible ASCII', 'a string of 8 characters'],
    [`${SECRET}\r\nx: y`, 'expected 1 to 255 visible ASCII'],
    ['é', 'expected 1 to 255 visible ASCII'],
    ['k'.repeat(256), 'expected 1 to 255 visible ASCII', 'a string of 256 characters'],
    [5, 'expected true, false or 1 to 255', 'got a number'],
    [null, 'expected true, false or 1 to 255', 'got null'],
  ],
  deadline: durations,
  heartbeatTimeout: [
    [999, 'expected 1000 to', 'got 999'],
    ['1ms', 'expected 1000 to', 'got "1ms"'],
    ...durations.filter(([value]) => value !== 0 && value !== '0.2ms'),
  ],
  callback: [
    ['', 'expected 1 to 1000 bytes', 'got ""'],
    [5, 'expected a workflow name, { workflow, taskQueue } or { signal, workflowId }', 'got 5'],
    [null, 'expected a workflow name', 'got null'],
    [[], 'expected a workflow name', 'got an array'],
    [{}, '.workflow: expected 1 to 1000 bytes', 'got undefined'],
    [{ workflow: '' }, '.workflow: expected 1 to 1000 bytes', 'got ""'],
    [{ workflow: 'w', queue: 'q' }, '.queue: unknown field'],
    [{ taskQueue: 'q' }, '.workflow: expected 1 to 1000 bytes', 'got undefined'],
    [{ workflow: 'w', taskQueue: 5 }, '.taskQueue: expected 1 to 1000 bytes', 'got 5'],
    [{ ...target, retry: 3 }, '.retry: expected an object of retry options', 'got 3'],
    [{ ...target, retry: { statuses: [] } }, '.retry.statuses: unknown field'],
    [{ ...target, retry: { maximumAttempts: 0 } }, '.retry.maximumAttempts:', 'got 0'],
    [{ ...target, retry: { initialInterval: -1 } }, '.retry.initialInterval:', 'got -1'],
    [{ ...target, retry: { backoffCoefficient: 0 } }, '.retry.backoffCoefficient:', 'got 0'],
    [
      { ...target, retry: { initialInterval: 2, maximumInterval: 1 } },
      '.retry.maximumInterval: expected at least initialInterval (2 ms)',
      'got 1 ms',
    ],
    [{ ...target, retry: { maximumInterval: 'x' } }, '.retry.maximumInterval:', 'got "x"'],
    [{ signal: 's' }, '.workflowId: expected 1 to 1000 bytes', 'got undefined'],
    [{ signal: 5, workflowId: 'w' }, '.signal: expected 1 to 1000 bytes', 'got 5'],
    [{ signal: 's', workflowId: 'w', taskQueue: 'q' }, '.taskQueue: unknown field'],
    [{ workflow: 'w', signal: 's' }, '.signal: unknown field'],
  ],
  callbackArgs: [
    [() => 1, ': expected a JSON value', 'got a function'],
    [{ tags: ['a', undefined] }, '.tags[1]: expected a JSON value', 'got undefined'],
    [{ a: { b: NaN } }, '.a.b: expected a JSON value', 'got NaN'],
    [{ a: -Infinity }, '.a: expected a JSON value', 'got -Infinity'],
    [{ at: new Date(0) }, '.at: expected a JSON value', 'got a Date'],
    [[10n], '[0]: expected a JSON value', 'got 10n'],
    [{ a: Symbol('s') }, '.a: expected a JSON value', 'got a symbol'],
    [{ a: new Map() }, '.a: expected a JSON value', 'got a Map'],
    // oxlint-disable-next-line no-sparse-arrays
    [[1, , 3], '[1]: expected a JSON value', 'got undefined'],
    [cyclic(), '.self: expected a JSON value', 'got a reference to its own parent'],
    [deep(101), 'expected at most 100 levels'],
  ],
  result: choices,
  preprocessors: [
    ['sign', 'expected an array of names', 'got "sign"'],
    [null, 'expected an array of names', 'got null'],
    [[''], '[0]: expected 1 to 1000 bytes', 'got ""'],
    [[5], '[0]: expected 1 to 1000 bytes', 'got 5'],
  ],
  protocol: choices,
  proxyUrl: [
    [5, 'expected an http:// or https:// URL', 'got a number'],
    [`proxy.test:3128`, 'expected an http:// or https:// URL', 'got another string'],
    [`socks5://${SECRET}`, 'expected an http:// or https:// URL', 'got another string'],
    [`http://proxy.test/${SECRET}`, 'expected an http:// or https:// URL', 'got another string'],
    [`http://${SECRET}:%zz@proxy.test`, 'expected an http:// or https:// URL'],
    [`http://me:${SECRET}@proxy.test:3128`, 'no credentials', 'http://proxy.test:3128/'],
    [{ $secret: '' }, '.$secret: expected 1 to 128 letters'],
    [{ $secret: 'N', username: 'u' }, '.username: unknown field'],
  ],
  flow: [
    [3, 'expected { key, rate, period, burst, concurrency, cost }', 'got 3'],
    [{ limit: 1 }, '.limit: unknown field'],
    [{ period: '1s' }, '.period: expected a rate beside it', 'got "1s"'],
    [{ burst: 2 }, '.burst: expected a rate beside it', 'got 2'],
    [{ rate: 1e-9 }, '.rate: expected at least one unit in 24.8 days', 'got 1e-9'],
  ],
  'flow.key': [
    ['', 'expected 1 to 255 visible ASCII', 'got ""'],
    ['k'.repeat(10_240), 'expected 1 to 255 visible ASCII', `got "${'k'.repeat(99)}…`],
  ],
  'flow.rate': [
    [0, 'expected a number above 0', 'got 0'],
    [-1, 'expected a number above 0', 'got -1'],
    [NaN, 'expected a number above 0', 'got NaN'],
    ['10', 'expected a number above 0', 'got "10"'],
    [1e10, 'expected at most 1000000000', 'got 10000000000'],
  ],
  'flow.period': durations,
  'flow.burst': [
    [0, 'expected a number from 1', 'got 0'],
    ['2', 'expected a number from 1', 'got "2"'],
  ],
  'flow.concurrency': [
    [0, 'expected an integer from 1', 'got 0'],
    [1.5, 'expected an integer from 1', 'got 1.5'],
  ],
  'flow.cost': [
    [0, 'expected a number above 0', 'got 0'],
    ['1', 'expected a number or { estimate, pointer }', 'got "1"'],
    [{ estimate: 5 }, '.pointer: expected a JSON pointer', 'got undefined'],
    [
      { estimate: 5, pointer: 'usage' },
      ".pointer: expected a JSON pointer such as '/",
      'got "usage"',
    ],
    [
      { estimate: 5, pointer: '/a~2' },
      ".pointer: expected a JSON pointer such as '/",
      'got "/a~2"',
    ],
  ],
  priority: [
    [3, 'expected { priorityKey, fairnessKey, fairnessWeight }', 'got 3'],
    [{ key: 1 }, '.key: unknown field'],
  ],
  'priority.priorityKey': integers(1, 5),
  'priority.fairnessKey': [
    ['é'.repeat(33), 'expected at most 64 bytes', 'got "éé'],
    [5, 'expected a string', 'got 5'],
  ],
  'priority.fairnessWeight': [
    [0, 'expected a number above 0', 'got 0'],
    [-1, 'expected a number above 0', 'got -1'],
    [Infinity, 'expected a number above 0', 'got Infinity'],
    ['1', 'expected a number above 0', 'got "1"'],
  ],
  requestId: [
    ['', 'expected 1 to 255 visible ASCII', 'got ""'],
    ['a b', 'expected 1 to 255 visible ASCII', 'got "a b"'],
    ['a\r\nb', 'expected 1 to 255 visible ASCII', 'got "a\\r\\nb"'],
    ['é', 'expected 1 to 255 visible ASCII', 'got "é"'],
    ['r'.repeat(256), 'expected 1 to 255 visible ASCII', `got "${'r'.repeat(99)}…`],
    [5, 'expected 1 to 255 visible ASCII', 'got 5'],
  ],
};

function cyclic(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}

function deep(levels: number): unknown {
  return levels === 0 ? 0 : [deep(levels - 1)];
}
