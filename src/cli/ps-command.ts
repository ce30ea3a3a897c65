import { optionsFromEnvironment } from '../config/environment.ts';
import { resolveOptions } from '../config/options.ts';
import { readFleet, type FleetProcess } from '../liveness/fleet.ts';
import { CliError } from './failure.ts';
import { formatTable } from './table.ts';
import { temporalSettings } from './temporal-connection.ts';

/** `patient ps`: what is in flight in all processes of a queue, as each last said of itself. */
export async function psCommand({ json }: { json?: boolean }): Promise<number> {
  const { redisUrl, taskQueue } = resolveOptions(optionsFromEnvironment(process.env));
  if (redisUrl === undefined) {
    throw new CliError('ps: set PATIENT_REDIS_URL; without Redis processes do not know each other');
  }
  const { namespace = 'default' } = temporalSettings();
  const fleet = await readFleet(redisUrl, namespace, taskQueue);
  if (json || !process.stdout.isTTY) console.log(JSON.stringify(fleet));
  else console.log(table(fleet));
  return 0;
}

function table(fleet: FleetProcess[]): string {
  if (fleet.length === 0) return 'no process';
  const head = ['PROCESS', 'STATE', 'IN FLIGHT', 'HOST', 'PHASES', 'OLDEST'];
  const rows = fleet.flatMap((each): string[][] => {
    const state = each.leaseLeft > 0 ? each.state : 'dead';
    const places = `${each.inFlight} of ${each.maxConnections}`;
    const name = [`${each.host}:${each.pid}`, state, places];
    if (each.hosts.length === 0) return [[...name, '-', '', '']];
    return each.hosts.map(({ host, phases, oldest }, index) => [
      ...(index === 0 ? name : ['', '', '']),
      host,
      Object.entries(phases)
        .map(([phase, count]) => `${count} ${phase}`)
        .join(', '),
      `${(oldest / 1000).toFixed(1)} s`,
    ]);
  });
  return formatTable([head, ...rows]);
}
