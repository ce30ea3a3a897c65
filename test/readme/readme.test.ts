/*
 * What the README shows is run as it stands there, with nothing but addresses replaced: its
 * TypeScript from `snippets`, its JSON against a worker, its commands unless they have tests of
 * their own. The worker is the README's own too. A block that nothing here knows fails.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { PatientClient, requestError } from 'patient-http';
import {
  callbackOf,
  runInline,
  startTargetServer,
  startTemporalServer,
  type TargetServer,
  type TemporalServer,
} from 'patient-http/testing';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { start } from '../cli/process.ts';
import { quietRuntime } from '../support/environment.ts';
import { commands, readmeBlocks, snippets } from './blocks.ts';
import * as clientSnippet from './snippets/client.ts';
import * as inlineActivities from './snippets/inline-activities.ts';
import * as observer from './snippets/observer.ts';
import * as plugin from './snippets/plugin.ts';
import * as inline from './snippets/run-inline.ts';
import * as testEnvironment from './snippets/test-environment.ts';
import * as signing from './snippets/signing.ts';
import * as workflows from './snippets/workflows/index.ts';

const root = new URL('../../', import.meta.url);
const workflowsPath = fileURLToPath(new URL('./snippets/workflows/index.ts', import.meta.url));
const manifest: {
  scripts: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
} = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
/** The API that the README calls; here it is the target server. */
const API = 'https://api.example.com';

const blocks = readmeBlocks();
const ofLanguage = (language: string) => blocks.filter((block) => block.language === language);

let temporal: TemporalServer;
let target: TargetServer;
let client: Client;
let patient: PatientClient;
let stopWorker: () => Promise<void>;

beforeAll(async () => {
  quietRuntime();
  vi.stubEnv('TEMPORAL_CLI_PATH', inject('temporalCli'));
  temporal = await startTemporalServer();
  target = await startTargetServer({ handler: api });
  const connection = await Connection.connect({ address: temporal.address });
  client = new Client({ connection });
  patient = new PatientClient({ client });
  const worker = await plugin.create(temporal.address, workflowsPath);
  const running = plugin.run(worker);
  stopWorker = async () => {
    worker.shutdown();
    await running;
    await worker.connection?.close();
    await connection.close();
  };
});

afterAll(async () => {
  await stopWorker?.();
  await target?.close();
  await temporal?.stop();
  vi.unstubAllEnvs();
});

/** What was sent to each path of the API, newest last. */
const received: { url: string; body: string }[] = [];

/** One price, orders that are created, charges whose answer never comes. */
function api(request: IncomingMessage, response: ServerResponse): boolean {
  const { method, url = '' } = request;
  const reply = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  void text(request).then((body) => {
    received.push({ url, body });
    if (url.startsWith('/price/')) setTimeout(() => reply(200, { amount: 12 }), 60);
    else if (url === '/slow') setTimeout(() => reply(200, {}), 1_000);
    else if (url === '/charges') request.socket.resetAndDestroy();
    else if (url === '/charges?order=17') reply(200, [{ order: 17 }]);
    else if (method === 'POST') reply(201, { id: 4711 });
    else reply(200, { url });
  });
  return true;
}

function execute<A extends unknown[], R>(
  workflow: (...args: A) => Promise<R>,
  ...args: A
): Promise<R> {
  const options = { taskQueue: 'orders', workflowId: `${workflow.name}-${Date.now()}`, args };
  return client.workflow.execute<(...args: unknown[]) => Promise<R>>(workflow.name, options);
}

/** How each snippet is run, by its file. */
const runs: Record<string, () => Promise<void>> = {
  'workflows/price-order.ts': async () => {
    const requestId = await execute(workflows.priceOrder, target.origin, '17');
    const { argument, workflow } = await callbackOf(client, requestId);
    await workflow.result();
    expect(argument).toMatchObject({ outcome: 'response', callbackArgs: '17' });
    expect(received.at(-1)).toEqual({ url: '/invoices', body: '{"amount":12}' });
  },
  'workflows/price-as-child.ts': async () => {
    expect(await execute(workflows.priceAsChild, target.origin, '17')).toBe(12);
  },
  'workflows/ask-and-go-on.ts': async () => {
    expect(await execute(workflows.askAndGoOn, target.url('/price/17'))).toBe('response');
  },
  'workflows/charge.ts': async () => {
    expect(await execute(workflows.charge, target.origin, '17')).toBe('charged');
    const charges = received.map(({ url }) => url).filter((url) => url.startsWith('/charges'));
    expect(charges).toEqual(['/charges', '/charges?order=17']);
  },
  'workflows/forecast.ts': async () => {
    const days = await execute(workflows.forecast, target.origin);
    expect(days).toEqual([{ url: '/v1/today' }, { url: '/v1/tomorrow' }]);
  },
  'workflows/price-all.ts': async () => {
    const prices = await execute(workflows.priceAll, target.origin, ['17', '18']);
    expect(prices).toEqual({ 17: { amount: 12 }, 18: { amount: 12 } });
  },
  'workflows/notify.ts': async () => {
    vi.stubEnv('PATIENT_SECRET_API_KEY', 'key-of-the-API');
    expect(await execute(workflows.notify, target.url('/hooks'))).toBe(201);
  },
  'signing.ts': async () => {
    const options = { preprocessors: signing.preprocessors, secrets: () => 'key of the partner' };
    const url = target.url('/partner');
    const spec = { url, method: 'POST' as const, preprocessors: ['partner'] };
    expect(await runInline(spec, options)).toMatchObject({ status: 201 });
    expect(signing.plugin.name).toBe('patient-http');
  },
  'plugin.ts': async () => {
    // It is the worker of all the others.
    expect((await patient.get(target.url('/price/17'))).status).toBe(200);
  },
  'client.ts': async () => {
    const { price, invoice } = await clientSnippet.use(client, target.origin);
    expect(price.json()).toEqual({ amount: 12 });
    expect(invoice).toMatchObject({ status: 201, requestId: 'invoice-17' });
  },
  'observer.ts': async () => {
    const connection = await NativeConnection.connect({ address: temporal.address });
    const lines: string[] = [];
    const worker = await observer.create(connection, (line) => lines.push(line));
    const running = observer.run(worker);
    try {
      await new PatientClient({ client, taskQueue: 'reports' }).get(target.url('/price/17'));
      expect(lines).toEqual([expect.stringMatching(/\/price\/17: 200 after \d+ ms$/)]);
    } finally {
      expect(await worker.shutdown()).toBe(0);
      await running;
      await connection.close();
    }
  },
  'run-inline.ts': inline.runs,
  'test-environment.ts': () => testEnvironment.runs(workflowsPath),
  'inline-activities.ts': async () => {
    await using server = await startTemporalServer();
    const connection = await NativeConnection.connect({ address: server.address });
    const workers = await inlineActivities.create(connection);
    const running = Promise.all(workers.map((worker) => worker.run()));
    try {
      const standIn = new PatientClient({ client: new Client({ connection }) });
      expect((await standIn.get(`${API}/price/17`)).json()).toEqual({ amount: 12 });
    } finally {
      for (const worker of workers) worker.shutdown();
      await running;
      await connection.close();
    }
  },
};

test('every block is in a language that is run here', () => {
  const languages = blocks.map(({ language }) => language);
  expect(new Set(languages)).toEqual(new Set(['ts', 'sh', 'json']));
});

describe('TypeScript', () => {
  test('every block is a snippet, every snippet a block, and each is run', () => {
    const shown = snippets();
    expect(
      ofLanguage('ts')
        .map(({ text }) => text)
        .sort(),
    ).toEqual([...shown.values()].sort());
    expect(Object.keys(runs).sort()).toEqual([...shown.keys()].sort());
  });

  test.each(Object.entries(runs))('%s', (_, run) => run());
});

/** How a command is run, by the first pattern it matches; gets the pattern's groups. */
const shell: [pattern: RegExp, run: (first: string, second: string) => unknown][] = [
  // What these do has tests of its own; here it counts that they are there.
  [/^npm run (\S+)/, (script) => expect(manifest.scripts).toHaveProperty(script)],
  [/^npm test$/, () => expect(manifest.scripts).toHaveProperty('test')],
  [/^npm ci$/, () => expect(existsSync(new URL('package-lock.json', root))).toBe(true)],
  [/^npm install (.+)/, (names) => expect(names.split(' ').sort()).toEqual(requiredPeers())],
  [/^node (\S+)$/, (script) => expect(existsSync(new URL(script, root))).toBe(true)],
  [/^((?:\w+=\S+ )+)npx patient (worker)$/, runPatient],
  [/^temporal (.+)$/, runTemporal],
];

function requiredPeers(): string[] {
  const { peerDependencies, peerDependenciesMeta } = manifest;
  const isRequired = (name: string): boolean => !peerDependenciesMeta[name]?.optional;
  return Object.keys(peerDependencies).filter(isRequired).sort();
}

async function runPatient(settings: string, command: string): Promise<void> {
  const pairs = settings.trim().split(' ');
  const env: Record<string, string> = Object.fromEntries(pairs.map((pair) => pair.split('=')));
  expect(env).toHaveProperty('TEMPORAL_ADDRESS');
  await using worker = start(['dist/src/cli/main.js', command], {
    ...env,
    TEMPORAL_ADDRESS: temporal.address,
  });
  await worker.prints(`ready: .*, ${env['PATIENT_MAX_CONNECTIONS']} connections`);
  worker.kill('SIGTERM');
  expect((await worker.end()).code).toBe(0);
}

async function runTemporal(args: string): Promise<void> {
  const { code, output } = await sh(`"$TEMPORAL_CLI_PATH" ${args.replaceAll(API, target.origin)}`);
  expect(code, output).toBe(0);
  expect(output).toMatch(/"?status"?:\s*200/);
}

async function sh(command: string): Promise<{ code: number; output: string }> {
  const env = { ...process.env, TEMPORAL_ADDRESS: temporal.address };
  const child = spawn('sh', ['-c', command], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

describe('commands', () => {
  test.each(ofLanguage('sh').flatMap(commands))('%s', async (command) => {
    const known = shell.find(([pattern]) => pattern.test(command));
    expect(known, 'a command that this test knows').toBeDefined();
    const [pattern, run] = known!;
    const [, first = '', second = ''] = pattern.exec(command)!;
    await run(first, second);
  });
});

test('JSON: a request, its response, and what a callback gets for one without', async () => {
  const texts = ofLanguage('json').map((block) => block.text.replaceAll(API, target.origin));
  expect(texts).toHaveLength(3);
  const [spec, response, callback] = texts.map((text) => JSON.parse(text));

  const received = await patient.request(spec);
  expect(received).toMatchObject({ ...response, durationMs: expect.any(Number) });
  expect(Object.keys(received).sort()).toEqual(Object.keys(response).sort());

  const { error, requestId, callbackArgs } = callback;
  const handle = await patient.submit.get(error.url, {
    ...{ requestId, callbackArgs, timeout: 200, retry: { maximumAttempts: error.attempt } },
    callback: { workflow: 'invoiced', taskQueue: 'orders' },
  });
  const failure: unknown = await handle.result().catch((failed: unknown) => failed);
  const { argument } = await callbackOf(client, handle.requestId);
  expect(argument.error).toEqual(requestError(failure));
  expect(argument).toEqual({
    ...callback,
    error: { ...error, message: expect.any(String), durationMs: expect.any(Number) },
    request: { workflowId: requestId, runId: expect.any(String) },
  });
  expect(argument.error?.message).toBe(error.message.replace('60000', '200'));
});
