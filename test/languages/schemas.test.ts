import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SchemaName } from '../../src/config/published-schemas.ts';
import type { RequestSpec } from '../../src/shared/wire.ts';
import type { BatchResult, BatchSpec } from '../../src/shared/wire-batch.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { violations } from '../support/json-schema.ts';
import { callbackResult, callbackTo, start } from '../temporal/support/outcomes.ts';

// What a running worker really takes and gives, against the published schemas.

let env: Environment;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'patient-schemas-'));
  env = await startEnvironment({
    batchDirectory: directory,
    allowPrivateAddresses: false,
    allowAddresses: ['127.0.0.1'],
    preprocessors: { broken: () => Promise.reject(new Error('broken on purpose')) },
    target: {
      handler({ url }, response) {
        if (url === '/cookies') response.setHeader('set-cookie', ['a=1', 'b=2']).end('é');
        else if (url === '/binary') response.end(Buffer.from([0, 255]));
        else if (url === '/loop') response.writeHead(302, { location: '/loop' }).end();
        else if (url === '/ftp') response.writeHead(302, { location: 'ftp://a/' }).end();
        else return false;
        return true;
      },
    },
  });
});
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

/** A value fits, and has no field that the schema does not know. */
function expectToFit(name: SchemaName, value: unknown): void {
  expect(violations(name, value), JSON.stringify(value)).toBe('');
  expect(violations(name, value, { closed: true }), JSON.stringify(value)).toBe('');
}

type Spec = Omit<RequestSpec, 'url' | 'json'> & { path: string; json?: unknown };

/** Sends it with a callback, and checks all that comes back; gives the status or the error's type. */
async function check({ path, ...fields }: Spec, type = 'patientRequest'): Promise<unknown> {
  const callbackArgs = { path, list: [1, null] };
  const spec = {
    url: URL.canParse(path) ? path : env.target.url(path),
    ...{ retry: { maximumAttempts: 1 }, callback: callbackTo(env), callbackArgs },
    ...fields,
  };
  expectToFit('request-spec', spec);
  const handle = await start(env, type, spec);
  let kind: unknown;
  try {
    const response = await handle.result();
    expectToFit('response', response);
    kind = response.status;
  } catch (error) {
    const cause = error instanceof WorkflowFailedError ? error.cause : error;
    if (!(cause instanceof ApplicationFailure)) throw error;
    expect(cause.details).toHaveLength(1);
    expectToFit('failure-detail', cause.details![0]);
    kind = cause.type;
  }
  const { workflowId, firstExecutionRunId } = handle;
  const argument = await callbackResult(env.client, workflowId, firstExecutionRunId);
  expectToFit('callback-argument', argument);
  if (argument.error) expectToFit('request-error', argument.error);
  expect(argument.error?.type ?? argument.response?.status).toBe(kind);
  return kind;
}

describe.concurrent('a request, its end and its callback', () => {
  const cases: [Spec, unknown, string?][] = [
    [{ path: '/echo' }, 200],
    [{ path: '/echo', json: { a: 1 }, headers: { a: ['1', '2'] } }, 200, 'patientPost'],
    [{ path: '/echo', method: 'put', multipart: [{ name: 'a', valueBase64: 'YQ==' }] }, 200],
    [{ path: '/echo', params: { a: [1, 'b'], c: null }, timeout: '5s', maxRedirects: 0 }, 200],
    [{ path: '/bytes/10' }, 200, 'patientHead'],
    [{ path: '/cookies' }, 200],
    [{ path: '/binary' }, 200],
    [{ path: '/redirect/3', method: 'POST', form: { a: true } }, 200],
    [{ path: '/status/204', method: 'DELETE' }, 204],
    [{ path: '/status/503', flow: { key: 'k', rate: 100, cost: 2 } }, 503],
    [{ path: `/status/404?body=${'é'.repeat(900)}`, raiseErrorResponses: true }, 'HttpStatusError'],
    [{ path: '/status/500', raiseErrorResponses: true }, 'HttpStatusError'],
    [{ path: '/hold', timeout: 100 }, 'TimeoutError'],
    [{ path: '/hold', deadline: '150ms', priority: { priorityKey: 1 } }, 'TimeoutError'],
    [{ path: '/reset', method: 'POST', idempotencyKey: true }, 'ConnectionError'],
    [{ path: '/half' }, 'ConnectionError'],
    [{ path: 'http://127.0.0.1:1/x' }, 'ConnectionError'],
    [{ path: '/bytes/100', maxResponseSize: 99 }, 'ResponseTooLargeError'],
    [{ path: '/redirect/4', maxRedirects: 3 }, 'TooManyRedirectsError'],
    [{ path: '/loop' }, 'RedirectLoopError'],
    [{ path: '/ftp' }, 'RedirectRefusedError'],
    [{ path: 'http://10.0.0.1/' }, 'BlockedAddressError'],
    [
      { path: '/echo', headers: { authorization: { $secret: 'NONE', prefix: 'Bearer ' } } },
      'SecretNotFoundError',
    ],
    [{ path: '/echo', preprocessors: ['broken'] }, 'PreprocessorError'],
    [{ path: '/echo', body: '' }, 'InvalidRequestError'],
  ];

  const named = cases.map(([spec, kind, type]) => {
    return { spec, kind, type, name: JSON.stringify(spec).slice(0, 80) };
  });

  test.each(named)('$kind: $name', async ({ spec, kind, type }) => {
    expect(await check(spec, type)).toBe(kind);
  });

  test('TLS that is none', async () => {
    const path = env.target.url('/').replace('http:', 'https:');
    expect(await check({ path })).toBe('TlsError');
  });
});

test('a refused request, whatever is wrong with it', async () => {
  const specs = [
    ...[5, null, [], {}, 'no url', { url: 'ftp://a/' }, { url: 7, method: 'BREW' }],
    { url: env.target.url('/'), method: 'x'.repeat(500), requestId: 'é' },
  ];
  for (const spec of specs) {
    const handle = await start(env, 'patientRequest', spec);
    const { cause } = await handle.result().then(
      () => Promise.reject(new Error('not refused')),
      (error: WorkflowFailedError) => error,
    );
    const { type, details } = cause as ApplicationFailure;
    expect(type).toBe('InvalidRequestError');
    expectToFit('failure-detail', details![0]);
    expect(violations('request-spec', spec)).not.toBe('');
  }
});

test('a cancelled request: its callback', async () => {
  const handle = await start(env, 'patientGet', {
    url: env.target.url('/hold?cancelled'),
    callback: callbackTo(env),
  });
  await env.target.waitFor(({ hits }) => hits.some(({ path }) => path === '/hold?cancelled'));
  await handle.cancel();
  await expect(handle.result()).rejects.toMatchObject({ cause: expect.any(CancelledFailure) });
  const { workflowId, firstExecutionRunId } = handle;
  const argument = await callbackResult(env.client, workflowId, firstExecutionRunId);
  expectToFit('callback-argument', argument);
  expect(argument.error?.type).toBe('CancelledError');
});

async function batch(spec: BatchSpec) {
  expectToFit('batch-spec', spec);
  const handle = await env.client.workflow.start('patientBatch', {
    taskQueue: env.taskQueue,
    workflowId: randomUUID(),
    args: [spec],
  });
  return { ...handle, result: (await handle.result()) as BatchResult };
}

test('a batch: its result, its callbacks, and what a sink gets', async () => {
  const requests = [
    env.target.url('/echo'),
    { url: env.target.url('/status/404'), raiseErrorResponses: true },
    { url: env.target.url('/binary'), callback: callbackTo(env) },
    { url: env.target.url('/hold'), timeout: 100, retry: { maximumAttempts: 1 } },
  ];
  for (const keep of ['all', 'status', 'none'] as const) {
    const run = await batch({ requests, keep, callback: callbackTo(env), callbackArgs: keep });
    expectToFit('batch-result', run.result);
    expect(run.result).toMatchObject({ succeeded: 2, failed: 2 });
    for (const index of ['', ':2']) {
      const id = `${run.firstExecutionRunId}${index}`;
      expectToFit('callback-argument', await callbackResult(env.client, run.workflowId, id));
    }
  }

  const { result } = await batch({ requests, sink: { file: 'out.jsonl' } });
  expectToFit('batch-result', result);
  const lines = (await readFile(join(directory, 'out.jsonl'), 'utf8')).trim().split('\n');
  expect(lines).toHaveLength(4);
  for (const line of lines) expectToFit('sink-item', JSON.parse(line));
});

test('outcomes cut to fit beside each other', async () => {
  const requests = Array.from({ length: 5 }, () => env.target.url('/bytes/600000'));
  const { result } = await batch({ requests });
  expectToFit('batch-result', result);
  expect(result.failed + result.succeeded).toBe(5);
  expect(JSON.stringify(result)).toContain('ResponseTooLargeError');
});

test('a value that does not fit is noticed', () => {
  const detail = { errorType: 'timeout', message: '', url: '', method: 'GET', requestId: 'r' };
  const fits = { ...detail, durationMs: 1, phase: 'sent', attempt: 1 };
  expectToFit('failure-detail', fits);
  expect(violations('failure-detail', { ...fits, attempt: 0 })).not.toBe('');
  expect(violations('failure-detail', { ...fits, later: 1 })).toBe('');
  expect(violations('failure-detail', { ...fits, later: 1 }, { closed: true })).not.toBe('');
});
