import { randomUUID } from 'node:crypto';
import { Client, Connection, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { expect, inject, test } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import { startRedis } from '../support/redis.ts';
import { run, start, type Result, type RunningProcess } from './process.ts';

const MAIN = 'dist/src/cli/main.js';
const READY = 'patient-http worker ready: ';

const newQueue = (): string => `cli-${randomUUID()}`;

function startWorker(taskQueue: string, env: Record<string, string> = {}): RunningProcess {
  return start([MAIN, 'worker'], {
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    PATIENT_TASK_QUEUE: taskQueue,
    PATIENT_ALLOW_PRIVATE_ADDRESSES: 'true',
    ...env,
  });
}

/** The official CLI as the client of a request. */
function execute(type: string, taskQueue: string, input: unknown): Promise<Result> {
  const request = ['--type', type, '--task-queue', taskQueue, '--input', JSON.stringify(input)];
  const server = ['--address', inject('temporalAddress'), '--output', 'json'];
  return run([inject('temporalCli'), 'workflow', 'execute', ...server, ...request]);
}

test('the ready line says where it works; SIGTERM ends it with 0', async () => {
  const taskQueue = newQueue();
  await using worker = startWorker(taskQueue, { PATIENT_MAX_CONNECTIONS: '7' });
  await worker.prints(READY);
  expect(worker.stdout).toBe(
    `${READY}${inject('temporalAddress')}, namespace default, ` +
      `queues ${taskQueue} and ${taskQueue}:requests, 7 connections\n`,
  );
  const stopped = performance.now();
  worker.kill('SIGTERM');
  const { code, stdout, stderr } = await worker.end();
  expect(code, stderr).toBe(0);
  expect(performance.now() - stopped).toBeLessThan(25_000);
  expect(stdout.split('\n')).toHaveLength(2);
  for (const line of stderr.trim().split('\n')) expect(JSON.parse(line)).toHaveProperty('level');
});

test('the official CLI prints the response, of a spec and of a URL alone', async () => {
  const taskQueue = newQueue();
  await using target = await startTargetServer();
  await using worker = startWorker(taskQueue);
  await worker.prints(READY);
  for (const input of [{ url: target.url('/status/200?body=hi') }, target.url('/status/200')]) {
    const { code, stdout, stderr } = await execute('patientGet', taskQueue, input);
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      status: 'COMPLETED',
      result: { status: 200, method: 'GET', attempt: 1 },
    });
  }
  worker.kill('SIGTERM');
  expect((await worker.end()).code).toBe(0);
});

test('a request in flight is delivered before the process ends', async () => {
  const taskQueue = newQueue();
  await using target = await startTargetServer();
  await using worker = startWorker(taskQueue);
  await worker.prints(READY);
  await withClient(async (client) => {
    const request = { taskQueue, workflowId: taskQueue, args: [target.url('/hold')] };
    const handle = await client.workflow.start('patientGet', request);
    await target.waitFor(({ inFlight }) => inFlight === 1);
    worker.kill('SIGTERM');
    await worker.prints('draining, 1 request in this process');
    target.release();
    const { code, stderr } = await worker.end();
    expect(code, stderr).toBe(0);
    // Temporal has it. Taking it on to the workflow may be left to another worker, and here is none.
    expect(deliveredBy(await handle.fetchHistory())).toMatchObject({ status: 200, attempt: 1 });
  });
});

test('the second signal says what would be lost, the third exits', async () => {
  const taskQueue = newQueue();
  await using target = await startTargetServer();
  await using worker = startWorker(taskQueue);
  await worker.prints(READY);
  const ended = request(taskQueue, 'patientPost', target.url('/hold')).catch((error) => error);
  await target.waitFor(({ inFlight }) => inFlight === 1);
  worker.kill('SIGTERM');
  await worker.prints('draining');
  await pastEcho();
  worker.kill('SIGINT');
  await worker.prints(
    'loses 1 request in flight that may not be sent again and 0 outcomes not delivered',
  );
  await pastEcho();
  worker.kill('SIGTERM');
  expect((await worker.end()).code).toBe(1);
  await terminate(taskQueue);
  expect(await ended).toBeInstanceOf(WorkflowFailedError);
});

test.for<[where: string, count: string]>([
  ['nowhere else', '1 outcome'],
  ['in Redis', '0 outcomes'],
])('what an item ended with, and is %s: %s not delivered', async ([where, count]) => {
  const taskQueue = newQueue();
  await using target = await startTargetServer();
  await using redis = await startRedis();
  const env = where === 'in Redis' ? { PATIENT_REDIS_URL: redis.url } : undefined;
  await using worker = startWorker(taskQueue, env);
  await worker.prints(READY);
  await withClient(async (client) => {
    const requests = ['GET /status/200', 'POST /hold'].map((text) => {
      const [method, path] = text.split(' ');
      return { method, url: target.url(path) };
    });
    const request = { taskQueue, workflowId: taskQueue, args: [{ requests }] };
    await client.workflow.start('patientBatch', request);
  });
  await target.waitFor(({ total, inFlight }) => total === 2 && inFlight === 1);
  worker.kill('SIGTERM');
  await worker.prints('draining, 2 requests in this process');
  await pastEcho();
  worker.kill('SIGINT');
  await worker.prints(`loses 1 request in flight that may not be sent again and ${count}`);
  await pastEcho();
  worker.kill('SIGINT');
  expect((await worker.end()).code).toBe(1);
  await terminate(taskQueue);
});

test.for<[name: string, message: RegExp, env: Record<string, string>]>([
  [
    'a wrong option',
    /^patient: PATIENT_MAX_CONNECTIONS: expected an integer from 1, got "abc"\n$/,
    { PATIENT_MAX_CONNECTIONS: 'abc' },
  ],
  [
    'an address where nothing listens',
    /^patient: no Temporal at 127\.0\.0\.1:1 \(TEMPORAL_ADDRESS\): Connection refused\n$/,
    { TEMPORAL_ADDRESS: '127.0.0.1:1' },
  ],
  [
    'a namespace that does not exist',
    /^patient: Temporal at \S+ has no namespace "nowhere" \(TEMPORAL_NAMESPACE\)\n$/,
    { TEMPORAL_NAMESPACE: 'nowhere' },
  ],
  [
    'a profile that does not exist',
    /^patient: Temporal settings: .*nobody.*\n$/,
    { TEMPORAL_PROFILE: 'nobody' },
  ],
])('%s is one line and exit code 1', async ([, message, env]) => {
  await using worker = startWorker(newQueue(), env);
  const { code, stdout, stderr } = await worker.end();
  expect(stderr).toMatch(message);
  expect(code).toBe(1);
  expect(stdout).toBe('');
});

test.for<[args: string[], stderr: string]>([
  [['wrok'], "unknown command 'wrok' (Did you mean worker?); `patient --help`"],
  [['worker', '--port', '1'], "unknown option '--port'; `patient worker --help`"],
  [
    ['ps', '--phase', 'x'],
    "option '--phase <phase>' argument 'x' is invalid. Allowed choices are queued, connect, sent, delivering; `patient ps --help`",
  ],
  [['flow', 'set'], "missing required argument 'key'; `patient flow --help`"],
])('wrong usage is one line: patient %s', async ([args, stderr]) => {
  expect(await run([MAIN, ...args])).toMatchObject({
    ...{ code: 2, stdout: '', stderr: `patient: ${stderr} tells what there is\n` },
  });
});

test.for(['', 'worker', 'start'])('patient %s --help', async (command) => {
  const { code, stdout } = await run([MAIN, ...(command ? [command] : []), '--help']);
  expect(stdout).toContain(`Usage: patient ${command}`);
  expect(stdout).toContain('Examples:');
  expect(code).toBe(0);
});

test('patient --version', async () => {
  expect((await run([MAIN, '--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

async function withClient<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  try {
    return await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

function request(taskQueue: string, type: string, url: string): Promise<unknown> {
  const options = { taskQueue, workflowId: taskQueue, args: [url] };
  return withClient((client) => client.workflow.execute(type, options));
}

/** What the activity was completed with. */
function deliveredBy({ events }: Awaited<ReturnType<WorkflowHandle['fetchHistory']>>): unknown {
  const completion = events?.find((event) => event.activityTaskCompletedEventAttributes);
  const [payload] = completion?.activityTaskCompletedEventAttributes?.result?.payloads ?? [];
  return payload && defaultPayloadConverter.fromPayload(payload);
}

/** Ends the request that the killed worker has left behind. */
async function terminate(taskQueue: string): Promise<void> {
  await withClient((client) => client.workflow.getHandle(taskQueue).terminate());
}

/** Signals closer together than this count as one. */
function pastEcho(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 200));
}
