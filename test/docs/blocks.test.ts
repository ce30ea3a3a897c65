/*
 * The commands and the JSON of README and docs/, with nothing but addresses replaced: run, unless
 * they have tests of their own. A command that nothing here knows fails.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PatientClient, requestError } from 'patient-http';
import { callbackOf } from 'patient-http/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkSpec } from '../../src/config/request-spec.ts';
import { checkBatch } from '../../src/shared/batch-spec.ts';
import { run, start } from '../cli/process.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { blocksIn, commands, read } from './pages.ts';
import { API, startStack, type Stack } from './stack.ts';

const manifest = JSON.parse(read('package.json')) as {
  version: string;
  scripts: Record<string, string>;
  peerDependencies: Record<string, string>;
  peerDependenciesMeta: Record<string, { optional?: boolean }>;
};

let stack: Stack;
let redis: RedisServer;

beforeAll(async () => {
  [stack, redis] = await Promise.all([startStack(), startRedis()]);
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await redis?.[Symbol.asyncDispose]();
});

/** How a command is run, by the first pattern it matches; gets the pattern's groups. */
const shell: [pattern: RegExp, run: (first: string, second: string) => unknown][] = [
  // What these do has tests of its own; here it counts that they are there.
  [/^npm run (\S+)/, (script) => expect(manifest.scripts).toHaveProperty(script)],
  [/^npm (test|start)\b/, (script) => expect(manifest.scripts).toHaveProperty(script)],
  [/^npm ci$/, () => expect(read('package-lock.json')).not.toBe('')],
  [/^npm pack$/, () => expect(manifest).toHaveProperty('files')],
  [/^npm install \.\/(\S+) (.+)/, install],
  [/^(.*?)(?:npx )?patient worker$/, runWorker],
  [/^(?:npx )?patient (flow.*)$/, runFlow],
  [/^(?:.*? )?patient (.+)$/, isInHelp],
  [/^temporal (workflow execute .+)$/, runTemporal],
];

function install(archive: string, names: string): void {
  expect(archive).toBe(`patient-http-${manifest.version}.tgz`);
  expect(names.split(' ').sort()).toEqual(requiredPeers());
}

function requiredPeers(): string[] {
  const { peerDependencies, peerDependenciesMeta } = manifest;
  const isRequired = (name: string): boolean => !peerDependenciesMeta[name]?.optional;
  return Object.keys(peerDependencies).filter(isRequired).sort();
}

async function runWorker(settings: string): Promise<void> {
  const local = `TEMPORAL_ADDRESS=${stack.temporal.address} PATIENT_TASK_QUEUE=commands`;
  const command = `${settings} ${local} exec "${process.execPath}" dist/src/cli/main.js worker`;
  await using worker = start(['sh', '-c', command]);
  const { 1: connections = '1000' } = /PATIENT_MAX_CONNECTIONS=(\d+)/.exec(settings) ?? [];
  await worker.prints(`ready: .*, ${connections} connections`);
  worker.kill('SIGTERM');
  expect((await worker.end()).code).toBe(0);
}

async function runFlow(args: string): Promise<void> {
  const env = { PATIENT_REDIS_URL: redis.url };
  const { code, stderr } = await run(['dist/src/cli/main.js', ...args.split(/\s+/)], env);
  expect(stderr).toBe('');
  expect(code).toBe(0);
}

/** What the other commands do has tests of its own; here it counts that they and their options exist. */
async function isInHelp(command: string): Promise<void> {
  const [shown = ''] = command.split(/ [|>] /);
  const words = shown.split(/\s+/);
  const flags = words.filter((word) => word.startsWith('--')).map((word) => word.split('=')[0]!);
  const { code, stdout, stderr } = await run(['dist/src/cli/main.js', 'help', words[0]!]);
  expect(code, stderr).toBe(0);
  for (const flag of flags) expect(stdout).toContain(flag);
}

async function runTemporal(args: string): Promise<void> {
  const called = args.replaceAll(API, stack.target.origin);
  const { code, output } = await sh(`"$TEMPORAL_CLI_PATH" ${called}`);
  expect(code, output).toBe(0);
  expect(output).toMatch(/"?status"?:\s*200/);
}

async function sh(command: string): Promise<{ code: number; output: string }> {
  const env = { ...process.env, TEMPORAL_ADDRESS: stack.temporal.address };
  const child = spawn('sh', ['-c', command], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}

const known = blocksIn('sh').flatMap((block) =>
  commands(block).map((command) => [block.place, command] as const),
);

describe('commands', () => {
  test.each(known)('%s: %s', async (_, command) => {
    const [pattern, runIt] = shell.find(([each]) => each.test(command)) ?? [];
    if (!pattern || !runIt) throw new Error('a command that this test does not know');
    const [, first = '', second = ''] = pattern.exec(command)!;
    await runIt(first, second);
  });
});

test.each(blocksIn('json').map(({ place, text }) => [place, text]))('%s is right', (_, text) => {
  const json: unknown = JSON.parse(text);
  const { url, requests, source, status } = json as Record<string, unknown>;
  if (requests ?? source) expect(() => checkBatch(json)).not.toThrow();
  else if (url !== undefined && status === undefined) expect(() => checkSpec(json)).not.toThrow();
});

test('JSON: a request, its response, and what a callback gets for one without', async () => {
  const patient = new PatientClient({ client: stack.client });
  const shown = blocksIn('json').filter(({ place }) => place.startsWith('docs/requests.md'));
  const texts = shown.map(({ text }) => text.replaceAll(API, stack.target.origin));
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
  const { argument } = await callbackOf(stack.client, handle.requestId);
  expect(argument.error).toEqual(requestError(failure));
  expect(argument).toEqual({
    ...callback,
    error: { ...error, message: expect.any(String), durationMs: expect.any(Number) },
    request: { workflowId: requestId, runId: expect.any(String) },
  });
  expect(argument.error?.message).toBe(error.message.replace('60000', '200'));
});
