/**
 * Workflows that began under an older version must go on under this one. Every history in
 * test/histories is replayed, and so are those of the cases themselves, made anew.
 *
 * After a release, or for a new case, record those of the present version:
 *   PATIENT_RECORD_HISTORIES=1 npm test -- test/temporal/replay.test.ts
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { format, resolveConfig } from 'prettier';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { batchActivities } from './support/batch-history-cases.ts';
import { HISTORY_CASES } from './support/history-cases.ts';

const folder = fileURLToPath(new URL('../histories/', import.meta.url));
const recorded = readdirSync(folder).filter((file) => file.endsWith('.json'));

/**
 * The generated class of a history. The SDK's own JSON functions need one protobufjs throughout,
 * and npm installs two.
 */
interface HistoryClass {
  fromObject(json: object): unknown;
}

const workflowsPath = fileURLToPath(new URL('./workflows/', import.meta.url));

let env: Environment;
let batchDirectory: string;
let workflowBundle: Awaited<ReturnType<typeof bundleWorkflowCode>>;
let History: HistoryClass;

beforeAll(async () => {
  batchDirectory = await mkdtemp(join(tmpdir(), 'patient-replay-'));
  env = await startEnvironment({
    ...{ callbackTaskQueue: 'replay', batchDirectory },
    user: { activities: batchActivities, workflowsPath },
  });
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('./replayed/', import.meta.url)),
    logger: Runtime.instance().logger,
  });
  const handle = await HISTORY_CASES['patientGet-response']!(env);
  History = (await handle.fetchHistory()).constructor as unknown as HistoryClass;
});
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
  await rm(batchDirectory, { recursive: true });
});

interface HistoryJson {
  events: { workflowExecutionStartedEventAttributes?: { workflowId: string } }[];
}

async function replay(json: object): Promise<void> {
  const [started] = (json as HistoryJson).events;
  // A callback's id is made of it.
  const { workflowId } = started!.workflowExecutionStartedEventAttributes!;
  await Worker.runReplayHistory({ workflowBundle }, History.fromObject(json), workflowId);
}

describe('recorded histories', () => {
  test('there are some of every case', () => {
    for (const name of Object.keys(HISTORY_CASES)) {
      expect(recorded).toContainEqual(expect.stringMatching(`^\\d+\\.\\d+\\.\\d+-${name}\\.json$`));
    }
  });

  test.each(recorded)('%s', async (file) => {
    await expect(
      replay(JSON.parse(readFileSync(folder + file, 'utf8')) as object),
    ).resolves.toBeUndefined();
  });
});

describe('a replay fails', () => {
  const change = (from: string, to: string): object => {
    const [file] = recorded.filter((name) => name.endsWith('-patientGet-response.json'));
    const text = readFileSync(folder + file, 'utf8');
    expect(text).toContain(from);
    return JSON.parse(text.replaceAll(from, to)) as object;
  };

  test.each(['idle', 'rawCallback', 'waitForSignal'])(
    'of a workflow that is now %s',
    async (type) => {
      const history = change('"name": "patientGet"', `"name": "${type}"`);
      await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
    },
  );

  test('of a workflow that now starts another activity', async () => {
    const history = change('"name": "submitRequest"', '"name": "sendRequest"');
    await expect(replay(history)).rejects.toThrow(DeterminismViolationError);
  });
});

describe('histories of this version', () => {
  test.each(Object.entries(HISTORY_CASES))('%s', async (name, run) => {
    const handle = await run(env);
    const history = anonymous(await handle.fetchHistory());
    await replay(history);
    if (process.env.PATIENT_RECORD_HISTORIES) await record(name, history);
  });
});

/** As JSON, naming no machine and no path on it. */
function anonymous(history: object): object {
  return JSON.parse(JSON.stringify(history), (key, value: unknown) => {
    if (key === 'identity') return 'recorded';
    return key === 'stackTrace' ? '' : value;
  }) as object;
}

async function record(name: string, history: object): Promise<void> {
  const { version } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as { version: string };
  const file = `${folder}${version}-${name}.json`;
  const options = { ...(await resolveConfig(file)), filepath: basename(file) };
  writeFileSync(file, await format(JSON.stringify(history), options));
}
