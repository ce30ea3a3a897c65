import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { PatientClient, PatientPlugin } from '../../src/index.ts';
import type { FleetProcess, RequestPage } from '../../src/fleet/port.ts';
import type { Details } from '../../src/cli/show/details.ts';
import type { Check } from '../../src/cli/doctor/check.ts';
import { RedisLiveness } from '../../src/liveness/redis.ts';
import { startHarness } from '../processor/harness.ts';
import { startRedis } from '../support/redis.ts';
import { run } from './process.ts';
import { startTerminal } from './terminal.ts';
import { MAIN, startWorld, type World } from './world.ts';

let world: World;

beforeAll(async () => {
  world = await startWorld();
  await world.worker();
});

afterAll(() => world?.[Symbol.asyncDispose]());

/** Starts requests that the target holds; gives their ids. */
async function hold(...methods: string[]): Promise<string[]> {
  const before = world.target.held;
  const ids = methods.map((method) => `${method}-${randomUUID()}`);
  for (const [i, method] of methods.entries()) {
    const id = ids[i]!;
    const url = world.target.url(`/hold?token=secret-${id}`);
    await world.patient(method, url, '--workflow-id', id, '--detach');
  }
  await world.target.waitFor(() => world.target.held === before + methods.length, 60_000);
  return ids;
}

test('show tells what can be told without the encryption key', { timeout: 120_000 }, async () => {
  await using other = await startWorld();
  const { env, target } = other;
  env['PATIENT_ENCRYPTION_KEYS'] = `new:${Buffer.alloc(32, 'new').toString('base64')}`;
  await other.worker();
  const id = randomUUID();
  await other.patient('post', target.url('/hold'), '--workflow-id', id, '--detach');
  await target.waitFor(() => target.held === 1, 60_000);
  delete env['PATIENT_ENCRYPTION_KEYS'];
  const reason = expect.stringContaining('key "new"');
  expect(await other.json<Details>('show', id)).toMatchObject({
    ...{ workflowId: id, status: 'RUNNING', request: { unreadable: reason } },
    activities: [{ state: 'started', attempt: 1, progress: { unreadable: reason } }],
  });
  target.release();
});

async function tableOf(...args: string[]): Promise<string> {
  await using terminal = world.terminal(...args);
  const { code, stdout } = await terminal.end();
  expect(code).toBe(0);
  return stdout;
}

test('ps and show see a request; cancel closes its socket', async () => {
  const [get, post] = (await hold('get', 'post')) as [string, string];
  const page = await world.json<RequestPage>('ps', '--sort', 'age');
  expect(page).toMatchObject({ matched: 2, total: 2, silent: [] });
  expect(page.rows.map(({ requestId }) => requestId)).toEqual([get, post]);
  expect(page.rows[0]).toMatchObject({ method: 'GET', path: '/hold', phase: 'sent', attempt: 1 });
  expect((await world.json<RequestPage>('ps', post)).matched).toBe(1);
  expect((await world.json<RequestPage>('ps', '--phase', 'queued')).rows).toEqual([]);
  const one = await world.json<RequestPage>('ps', '--limit', '1', '--reverse');
  expect(one).toMatchObject({ matched: 2, rows: [{ requestId: post }] });
  const [process] = await world.json<FleetProcess[]>('ps', '--processes');
  expect(process).toMatchObject({ state: 'running', maxConnections: 1000 });
  const table = await tableOf('ps');
  expect(table).toMatch(/^METHOD +HOST +PATH +PHASE +AGE +BYTES +TRY +PROCESS +REQUEST\r\n/);
  expect(table).toContain(get);

  const shown = await world.json<Details>('show', get);
  expect(shown).toMatchObject({
    ...{ workflowId: get, type: 'patientGet', status: 'RUNNING', kept: [], failures: [] },
    request: { method: 'GET', url: world.target.url('/hold') },
    activities: [{ state: 'started', attempt: 1 }],
    inFlight: [{ phase: 'sent', requestId: get }],
  });
  const details = await tableOf('show', get);
  expect(details).toMatch(/status +RUNNING for/);
  expect(JSON.stringify([page, shown]) + table + details).not.toContain('secret-');

  const cancelled = await world.json('cancel', get);
  expect(cancelled).toEqual({ id: get, status: 'CANCELLED' });
  await world.target.waitFor(() => world.target.held === 1, 60_000);
  const again = await world.patient('cancel', get);
  expect(again).toMatchObject({ code: 3, stderr: `patient: ${get} has ended: CANCELLED\n` });
  const ended = await world.json<Details>('show', get);
  expect(ended).toMatchObject({ status: 'CANCELLED', error: { type: 'CancelledError' } });

  world.target.release();
  await expect
    .poll(() => world.json<Details>('show', post), { timeout: 60_000 })
    .toMatchObject({ status: 'COMPLETED', response: { status: 200, attempt: 1 } });
  const redriven = await world.json<{ workflowId: string }>('redrive', get);
  expect(redriven.workflowId).toMatch(new RegExp(`^${get}:redrive:`));
  await world.target.waitFor(() => world.target.held === 1, 60_000);
  world.target.release();
});

test('a workflow that is one request is cancelled by its request id too', async () => {
  const workflowId = `request-${randomUUID()}`;
  const { env, taskQueue, target } = world;
  const connection = await Connection.connect({ address: env['TEMPORAL_ADDRESS']! });
  try {
    const options = { workflowId, taskQueue, args: [target.url('/hold')] };
    await new Client({ connection }).workflow.start('patientGet', options);
  } finally {
    await connection.close();
  }
  await target.waitFor(() => target.held === 1, 60_000);
  const [row] = (await world.json<RequestPage>('ps', workflowId)).rows;
  const id = row!.requestId;
  expect(id).toMatch(new RegExp(`^${workflowId}/`));
  expect(await world.json('cancel', id)).toEqual({ id, status: 'CANCELLED' });
  await target.waitFor(() => target.held === 0, 60_000);
});

test('what is not there is exit code 3', async () => {
  for (const command of ['show', 'cancel', 'redrive']) {
    const { code, stdout, stderr } = await world.patient(command, 'nobody');
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/^patient: no workflow and no request in flight has the id "nobody"/);
  }
  const { code, stderr } = await world.patient('drain', 'nobody');
  expect(code).toBe(3);
  expect(stderr).toMatch(/^patient: no process "nobody"; there is \S+:\d+:\w+\n$/);
});

test.for<[args: string[], message: RegExp]>([
  [['ps', '--phase', 'flying'], /Allowed choices are queued, connect, sent, delivering/],
  [['ps', '--sort', 'colour'], /Allowed choices are age, bytes, attempt, host, phase/],
  [['ps', '--limit', '-1'], /^patient: --limit: expected an integer from 1 to 1000, got "-1"\n$/],
  [
    ['ps', '--limit', '1001'],
    /^patient: --limit: expected an integer from 1 to 1000, got "1001"\n$/,
  ],
  [['drain', ''], /^patient: process: expected an id or the beginning of one, got ""\n$/],
  [['show', ''], /^patient: id: expected a workflow id or a request id, got ""\n$/],
  [['codec-server', '--port', '99999'], /^patient: --port: expected 0 to 65535, got "99999"\n$/],
  [['dashboard', '--listen', 'here'], /^patient: --listen: expected host:port such as /],
  [['show'], /missing required argument 'id'/],
  [['cancel', 'a', 'b'], /too many arguments/],
  [['doctor', '--stric'], /unknown option '--stric'/],
  [['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
])('wrong arguments: patient %s', async ([args, message]) => {
  const { code, stdout, stderr } = await world.patient(...args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(message);
});

test('without Redis, what needs it says so', async () => {
  const env = { ...world.env, PATIENT_REDIS_URL: '' };
  for (const args of [['ps'], ['drain', 'x'], ['flow', 'list']]) {
    const { code, stderr } = await run([MAIN, ...args], env);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^patient: \w+: set PATIENT_REDIS_URL; without Redis /);
  }
});

function statuses(checks: Check[]): Record<string, string> {
  return Object.fromEntries(checks.map(({ check, status }) => [check, status]));
}

test('doctor: all is well, but for a Redis that keeps nothing', async () => {
  // Its workflow is what the codec is tried on, once it is in Temporal's list.
  await world.patient('get', world.target.url('/echo'));
  let checks: Check[] = [];
  const examine = async (): Promise<Record<string, string>> =>
    statuses((checks = await world.json<Check[]>('doctor')));
  await expect.poll(examine, { timeout: 60_000 }).toHaveProperty('codec of the fleet');
  expect(statuses(checks)).toEqual({
    ...{ temporal: 'ok', 'temporal clock': 'ok', heartbeats: 'ok', retention: 'ok' },
    ...{ [`queue ${world.taskQueue}`]: 'ok', [`queue ${world.taskQueue}:requests`]: 'ok' },
    ...{ 'codec of the fleet': 'ok', redis: 'ok', 'redis role': 'ok', 'redis eviction': 'ok' },
    ...{ 'redis persistence': 'warning', 'redis latency': expect.stringMatching(/ok|warning/) },
    ...{ 'redis clock': 'ok', codec: 'ok', node: 'ok', 'open files': expect.any(String) },
  });
  expect(checks.find(({ check }) => check === 'temporal clock')?.message).toMatch(
    /ms (ahead|behind)/,
  );
  expect((await world.patient('doctor', '--strict')).code).toBe(1);
});

test('doctor: what is wrong has a fix, and exit code 1', async () => {
  await using redis = await startRedis();
  await redis.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
  const env = {
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    PATIENT_REDIS_URL: redis.url,
    PATIENT_PAYLOAD_STORE: 'file:///dev/null/x',
    NO_COLOR: '1',
  };
  await using terminal = startTerminal([MAIN, 'doctor'], env);
  const { code, stdout } = await terminal.end();
  expect(code).toBe(1);
  expect(stdout).toMatch(/problem +temporal +no Temporal at 127\.0\.0\.1:1 .+ECONNREFUSED/);
  expect(stdout).toMatch(/problem +redis eviction +maxmemory-policy is allkeys-lru/);
  expect(stdout).toMatch(/→ CONFIG SET maxmemory-policy noeviction/);
  expect(stdout).toMatch(
    /problem +codec +store file:\/\/\/dev\/null\/x: payloadStore: .+ cannot be used/,
  );
  expect(stdout).toMatch(/ok +node +v/);
  expect(stdout).not.toContain('\x1b[3');

  const foreign = await run([MAIN, 'doctor'], { ...world.env, PATIENT_TASK_QUEUE: 'nobody-polls' });
  expect(foreign.code).toBe(1);
  expect(statuses(JSON.parse(foreign.stdout) as Check[])).toMatchObject({
    'queue nobody-polls': 'problem',
    'queue nobody-polls:requests': 'problem',
  });
});

test('doctor: nobody polls for requests while all workers are full or draining', async () => {
  const taskQueue = `full-${randomUUID()}`;
  const env = { ...world.env, PATIENT_TASK_QUEUE: taskQueue };
  const nothing = (): void => undefined;
  const liveness = new RedisLiveness({
    ...{ url: world.redis.url, namespace: 'default', taskQueue, leaseTtl: 1_500 },
    seal: { seal: async () => '', open: () => Promise.reject(new Error('Nothing is kept here')) },
    releaseOrphan: async () => false,
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  });
  // A processor that Temporal knows nothing of: a worker's last poll would be listed for minutes.
  await using harness = await startHarness({ liveness, maxConnections: 1 });
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  const abort = new AbortController();
  const workflows = connection.withAbortSignal(abort.signal, () =>
    connection.withDeadline(Date.now() + 120_000, () =>
      connection.workflowService.pollWorkflowTaskQueue({
        ...{ namespace: 'default', taskQueue: { name: taskQueue }, identity: 'worker' },
      }),
    ),
  );
  const polled = workflows.catch(nothing);
  const said = async (): Promise<string> => {
    const { code, stdout } = await run([MAIN, 'doctor'], env);
    const checks = JSON.parse(stdout) as Check[];
    const { status, message } = checks.find(
      ({ check }) => check === `queue ${taskQueue}:requests`,
    )!;
    return `${code}, ${status}: ${message}`;
  };
  const limits = { timeout: 60_000 };
  try {
    expect(await said()).toBe('1, problem: nobody polls it');
    await harness.submit('/hold');
    const warning = '0, warning: nobody polls it: its workers are full or draining';
    await expect.poll(said, limits).toBe(warning);
    harness.target.release();
    await expect.poll(said, limits).toBe('1, problem: nobody polls it');
    harness.processor.drain();
    await expect.poll(said, limits).toBe(warning);
  } finally {
    abort.abort();
    await polled;
    await connection.close();
  }
});

test('doctor: a key that an open request still needs', async () => {
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  try {
    const taskQueue = `doctor-${randomUUID()}`;
    for (const key of ['old', 'new']) {
      const encryptionKeys = [`${key}:${Buffer.alloc(32, key).toString('base64')}`];
      const client = new Client({ connection, plugins: [new PatientPlugin({ encryptionKeys })] });
      await new PatientClient({ client, taskQueue }).submit.get('http://nobody.asks/');
    }
    const env = {
      ...{ ...world.env, PATIENT_TASK_QUEUE: taskQueue },
      PATIENT_ENCRYPTION_KEYS: `new:${Buffer.alloc(32, 'new').toString('base64')}`,
    };
    const said = async (): Promise<string | undefined> => {
      const { stdout } = await run([MAIN, 'doctor'], env);
      const checks = JSON.parse(stdout) as Check[];
      return checks.find(({ check }) => check === 'codec of the fleet')?.message;
    };
    await expect.poll(said, { timeout: 60_000 }).toContain('encrypted with key "old"');
  } finally {
    await connection.close();
  }
});

// Last: it ends the worker.
test('drain ends a process when it has delivered what it has', async () => {
  const [get] = (await hold('get')) as [string];
  const processes = await world.json<FleetProcess[]>('ps', '--processes');
  const { id } = processes.find(({ leaseLeft }) => leaseLeft > 0)!;
  await using draining = world.started('drain', id.split(':').slice(0, 2).join(':'), '--wait');
  await draining.prints(new RegExp(`"process":"${id}"`));
  await expect
    .poll(async () => (await world.json<FleetProcess[]>('ps', '--processes'))[0]?.state, {
      timeout: 60_000,
    })
    .toMatch(/draining|stopping/);
  world.target.release();
  expect((await draining.end()).code).toBe(0);
  expect(await world.json<Details>('show', get)).toMatchObject({ workflowId: get });
  expect(await world.json('ps', '--processes')).toEqual([]);
});
