import { once } from 'node:events';
import { createServer } from 'node:net';
import { findTemporalCli } from '../testing/temporal-cli.ts';
import { startTemporalServer, type TemporalServer } from '../testing/temporal-server.ts';
import { resolveOptions } from '../config/options.ts';
import { connect } from './temporal-connection.ts';
import { runWorker, workerSettings } from './run-worker.ts';

/** Temporal's usual ports, so that its CLI and UI need no address. */
const PORT = 7233;
const UI_PORT = 8233;

/** `patient start`: Temporal's development server and a worker, until a signal. */
export async function startCommand(): Promise<number> {
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
  await using temporal = await connect(access, settings.log);
  return await runWorker(settings, temporal, (ready) => {
    console.log(`${ready}\n\n${firstRequest(cli.path, server, settings.options)}`);
  });
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

function firstRequest(
  cli: string,
  { address }: TemporalServer,
  options: Parameters<typeof resolveOptions>[0],
): string {
  const { taskQueue, allowPrivateAddresses } = resolveOptions(options);
  const command =
    `${cli} workflow execute --address ${address} --task-queue ${taskQueue}` +
    ` --type patientGet --input '{"url": "https://example.com"}'`;
  const addresses = allowPrivateAddresses
    ? 'Private addresses, this machine included, are allowed.'
    : 'Private addresses, this machine included, are refused: ' +
      'PATIENT_ALLOW_PRIVATE_ADDRESSES=true allows them.';
  return `A first request, from another terminal:\n  ${command}\n${addresses}\nCtrl-C stops it all.`;
}
