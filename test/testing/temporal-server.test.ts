import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { expect, inject, test } from 'vitest';
import { startTemporalServer } from '../../src/testing/temporal-server.ts';
import { waitFor } from '../support/wait-for.ts';

const cli = inject('temporalCli');

async function withClient<T>(
  address: string,
  namespace: string,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('answers in its namespace, shows its UI and metrics, stops twice', async () => {
  const options = { cli, ui: true, metrics: true, namespace: 'mine' };
  await using server = await startTemporalServer(options);
  expect(server.address).toBe(`127.0.0.1:${server.port}`);
  const count = await withClient(server.address, 'mine', (client) => client.workflow.count());
  expect(count.count).toBe(0);
  const metrics = await fetch(server.metricsUrl ?? '');
  expect(await metrics.text()).toContain('service_requests{');
  const page = await fetch(server.uiUrl ?? '');
  expect(page.status).toBe(200);
  await page.text();
  await server.stop();
  await server.stop();
  expect(alive(server.pid)).toBe(false);
});

test('killed and started again on its port and file, it knows what was', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'patient-server-'));
  const dbFilename = join(folder, 'temporal.db');
  const first = await startTemporalServer({ cli, dbFilename });
  await withClient(first.address, 'default', (client) =>
    client.workflow.start('nobodyRunsThis', { taskQueue: 'none', workflowId: 'kept' }),
  );
  await first.kill();
  await using second = await startTemporalServer({ cli, dbFilename, port: first.port });
  const { status } = await withClient(second.address, 'default', (client) =>
    client.workflow.getHandle('kept').describe(),
  );
  expect(status.name).toBe('RUNNING');
  await second.stop();
  await rm(folder, { recursive: true });
});

test('takes search attributes and dynamic configuration', async () => {
  await using server = await startTemporalServer({
    cli,
    searchAttributes: { customer: 'Keyword' },
    dynamicConfig: { 'matching.enableFairness': 'true' },
  });
  const list = ['operator', 'search-attribute', 'list', '--address', server.address];
  const { stdout } = await promisify(execFile)(cli, list);
  expect(stdout).toMatch(/customer\s+Keyword/);
});

test('a server that does not start says what it printed', async () => {
  await expect(startTemporalServer({ cli, dynamicConfig: { wrong: '{' } })).rejects.toThrow(
    /did not start: it ended with code 1.*invalid JSON value for key "wrong"/s,
  );
  await expect(startTemporalServer({ cli, port: taken() })).rejects.toThrow(
    /address already in use/,
  );
  await expect(startTemporalServer({ cli: '/nowhere/temporal' })).rejects.toThrow(/ENOENT/);
});

function taken(): number {
  return Number(inject('temporalAddress').split(':')[1]);
}

test('ends with the process that started it, even when that is killed', async () => {
  const code = `
    import { startTemporalServer } from '${new URL('../../dist/src/testing/temporal-server.js', import.meta.url)}';
    console.log((await startTemporalServer({ cli: '${cli}' })).pid);
    process.kill(process.pid, 'SIGKILL');`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', code]);
  let printed = '';
  parent.stdout.on('data', (chunk) => (printed += chunk));
  await waitFor(() => parent.signalCode === 'SIGKILL');
  const pid = Number(printed);
  expect(pid).toBeGreaterThan(0);
  await waitFor(() => !alive(pid));
});
