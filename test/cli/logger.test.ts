import { expect, test } from 'vitest';
import { createLogger } from '../../src/telemetry/logger.ts';

function logging(options: { isTTY?: boolean; level?: 'debug' | 'info' | 'warn' } = {}) {
  const lines: string[] = [];
  const { level = 'info', ...stream } = options;
  const write = (line: string): unknown => lines.push(line);
  return { lines, log: createLogger({ level, stream: { ...stream, write } }) };
}

const unavailable = Object.assign(new Error('14 UNAVAILABLE: gone'), { code: 14, details: 'gone' });
const failure = new Error('not delivered', { cause: unavailable });

test('one JSON line per entry, with causes and gRPC codes', () => {
  const { lines, log } = logging();
  log.warn('trouble', { error: failure, taskQueue: 'q', nanos: 12n, bytes: new Uint8Array(3) });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\{.*\}\n$/);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: 'warn',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    message: 'trouble',
    taskQueue: 'q',
    nanos: '12',
    bytes: '(3 bytes)',
    error: {
      type: 'Error',
      message: 'not delivered',
      stack: expect.stringContaining('logger.test.ts'),
      cause: { message: '14 UNAVAILABLE: gone', code: 'UNAVAILABLE' },
    },
  });
});

test('what is less severe than the level is left out', () => {
  const { lines, log } = logging({ level: 'warn' });
  log.trace('no');
  log.debug('no');
  log.info('no');
  log.log('INFO', 'no');
  log.log('ERROR', 'yes');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: 'error', message: 'yes' }]);
});

test('no headers, tokens and secrets, however deep', () => {
  const { lines, log } = logging();
  log.info('request', {
    headers: { authorization: 'Bearer abc' },
    request: { 'x-api-key': 'abc', list: [{ Cookie: 'abc', path: '/a' }] },
    taskToken: 'abc',
    workflowId: 'kept',
  });
  expect(lines[0]).not.toContain('abc');
  expect(JSON.parse(lines[0]!)).toMatchObject({
    headers: '(redacted)',
    request: { list: [{ path: '/a' }] },
    workflowId: 'kept',
  });
});

test('an object that contains itself, and endless causes, end', () => {
  const { lines, log } = logging();
  const loop: Record<string, unknown> = {};
  loop.self = loop;
  const error = new Error('again');
  error.cause = error;
  log.info('loops', { loop, error });
  expect(lines[0]!.length).toBeLessThan(5_000);
});

test('one readable line on a terminal', () => {
  const { lines, log } = logging({ isTTY: true });
  log.error('two\nlines', { error: failure, taskQueue: 'q', text: 'a b' });
  expect(lines).toEqual([
    expect.stringMatching(
      /^\d\d:\d\d:\d\d\.\d{3} ERROR two … {2}error="Error: not delivered ← Error: 14 UNAVAILABLE: gone \[UNAVAILABLE\]" {2}taskQueue=q {2}text="a b"\n$/,
    ),
  ]);
});
