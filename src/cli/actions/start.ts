import { once } from 'node:events';
import { createServer } from 'node:net';
import { Runtime } from '@temporalio/worker';
import { findTemporalCli } from '../../testing/temporal-cli.ts';
import { startTemporalServer, type TemporalServer } from '../../testing/temporal-server.ts';
import { resolveOptions, type PatientOptions } from '../../config/options.ts';
import { Playground } from '../../playground/playground.ts';
import { createTarget } from '../../playground/target.ts';
import { WebServer } from '../../web/server.ts';
import type { PatientWorker } from '../../worker.ts';
import { SIGNALS } from '../signals.ts';
import { connect, type TemporalAccess } from '../temporal-connection.ts';
import { runWorker, workerSettings } from '../run-worker.ts';

/** Temporal's usual ports, so that its CLI and UI need no address. */
const PORT = 7233;
const UI_PORT = 8233;
const DASHBOARD_PORT = 8235;
/** Of the playground, and of the slow server it calls. */
const TARGET_PORT = 8236;
const PLAYGROUND_PORT = 8237;
const LOOPBACK = '127.0.0.1';

/** `patient start`: Temporal's development server, a worker with its dashboard and the playground, until a signal. */
export async function startStack(): Promise<number> {
  const settings = workerSettings(process.env);
  if (process.env['TEMPORAL_ADDRESS']) {
    console.error('TEMPORAL_ADDRESS is ignored: `start` runs a Temporal of its own');
  }
  const cli = await findTemporalCli({ log: console.error });
  console.log(cli.source);
  const port = await ifFree(PORT, 'Temporal');
  const ui = (await ifFree(UI_PORT, "Temporal's UI")) ?? true;
  await using server = await startTemporalServer({ cli: cli.path, ui, ...(port && { port }) });
  const { address, namespace } = server;
  console.log(`Temporal: ${address}, namespace ${namespace}, in memory`);
  console.log(`Temporal UI: ${server.uiUrl}`);
  const access = { connectionOptions: { address }, namespace };
  await using temporal = await connect(access, settings);
  await using target = await startTarget();
  const dashboard = await dashboardOptions(server.uiUrl);
  const options = allowing({ ...dashboard, ...settings.options }, target.url);
  let playground: Promise<Playground | undefined> | undefined;
  // The drain would wait for calls that nobody needs.
  const stopCalls = (): void => {
    void playground?.then((running) => running?.stop()).catch(() => undefined);
  };
  for (const signal of SIGNALS) process.once(signal, stopCalls);
  try {
    return await runWorker({ ...settings, options }, temporal, (ready, worker) => {
      console.log(ready);
      if (options.dashboard) console.log(`Dashboard: ${worker.url}`);
      playground = startPlayground({ worker, temporal, server, target: target.url });
      void playground.finally(() => console.log(`\n${firstRequest(cli.path, server, options)}`));
    });
  } finally {
    for (const signal of SIGNALS) process.off(signal, stopCalls);
    await (await playground)?.[Symbol.asyncDispose]();
  }
}

async function startTarget(): Promise<AsyncDisposable & { url: string }> {
  const port = (await ifFree(TARGET_PORT, "The playground's server")) ?? 0;
  const server = new WebServer(createTarget(), { host: LOOPBACK, port });
  await server.start();
  return { url: server.url!, [Symbol.asyncDispose]: () => server.close() };
}

/** This one server beside what is allowed anyway. */
function allowing(options: PatientOptions, url: string): PatientOptions {
  return { ...options, allowAddresses: [...(options.allowAddresses ?? []), new URL(url).host] };
}

interface Around {
  worker: PatientWorker;
  temporal: TemporalAccess;
  server: TemporalServer;
  target: string;
}

/** Undefined when it cannot be started: the worker is of use without it. */
async function startPlayground(around: Around): Promise<Playground | undefined> {
  const { worker, temporal, server, target } = around;
  const { connection, namespace } = temporal;
  const log = Runtime.instance().logger;
  const port = (await ifFree(PLAYGROUND_PORT, 'The playground')) ?? 0;
  const listen = { host: LOOPBACK, port };
  const place = { connection, namespace, temporalUi: server.uiUrl };
  try {
    const playground = await Playground.start({ ...place, worker, target, listen, log });
    console.log(`Playground: ${playground.url}, slow calls to ${target}`);
    return playground;
  } catch (error) {
    log.warn('The playground does not run', { error });
    return undefined;
  }
}

/** Unless the environment says otherwise. */
async function dashboardOptions(temporalUi: string | undefined): Promise<PatientOptions> {
  const port = (await ifFree(DASHBOARD_PORT, 'The dashboard')) ?? 0;
  const listen = `${LOOPBACK}:${port}`;
  return { listen, dashboard: true, ...(temporalUi !== undefined && { temporalUi }) };
}

async function ifFree(port: number, name: string): Promise<number | undefined> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
    await once(probe.close(), 'close');
    return port;
  } catch {
    console.log(`Port ${port} is taken: ${name} gets another`);
    return undefined;
  }
}

function firstRequest(cli: string, { address }: TemporalServer, options: PatientOptions): string {
  const { taskQueue, allowPrivateAddresses } = resolveOptions(options);
  const command =
    `${cli} workflow execute --address ${address} --task-queue ${taskQueue}` +
    ` --type patientGet --input '{"url": "https://example.com"}'`;
  const addresses = allowPrivateAddresses
    ? 'Private addresses, this machine included, are allowed.'
    : 'Other private addresses, this machine included, are refused: ' +
      'PATIENT_ALLOW_PRIVATE_ADDRESSES=true allows them.';
  return `A first request, from another terminal:\n  ${command}\n${addresses}\nCtrl-C stops it all.`;
}
