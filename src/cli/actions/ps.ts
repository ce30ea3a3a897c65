import type {
  Fleet,
  FleetProcess,
  FleetRequest,
  RequestOrder,
  RequestQuery,
} from '../../fleet/port.ts';
import type { TaskPhase } from '../../processor/task.ts';
import { MAX_ROWS } from '../../shared/row-limit.ts';
import { readInteger } from '../arguments.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { withFleet } from '../fleet.ts';
import { duration, printJson, printTable, say, wantsJson } from '../output.ts';
import { findProcess } from '../processes.ts';

export interface PsFlags {
  host?: string;
  phase?: TaskPhase;
  process?: string;
  sort?: RequestOrder;
  reverse?: boolean;
  limit?: string;
  processes?: boolean;
  json?: boolean;
}

/** At a time: more is for a filter. */
const ROWS = { min: 1, max: MAX_ROWS };

/** `patient ps`: what is in flight in all processes of a queue. */
export async function ps(text: string | undefined, flags: PsFlags): Promise<ExitCode> {
  const { host, phase, sort, reverse, limit } = flags;
  const query: RequestQuery = {
    ...(text !== undefined && { text }),
    ...(host !== undefined && { host }),
    ...(phase && { phase }),
    ...(sort && { order: sort }),
    ...(reverse && { reverse }),
    ...(limit !== undefined && { limit: readInteger('--limit', limit, ROWS) }),
  };
  await withFleet('ps', (fleet) =>
    flags.processes ? listProcesses(fleet, flags) : listRequests(fleet, query, flags),
  );
  return EXIT.done;
}

async function listRequests(fleet: Fleet, query: RequestQuery, flags: PsFlags): Promise<void> {
  if (flags.process !== undefined) query.process = (await findProcess(fleet, flags.process)).id;
  const page = await fleet.requests(query);
  if (wantsJson(flags)) return printJson(page);
  printRequests(page.rows);
  if (page.matched > page.rows.length) {
    say(
      `${page.rows.length} of ${page.matched} requests; a --limit up to ${MAX_ROWS}, or a filter, shows others`,
    );
  }
  if (page.silent.length > 0) say(`no answer from ${page.silent.join(', ')}`);
}

export function printRequests(rows: FleetRequest[]): void {
  const head = ['METHOD', 'HOST', 'PATH', 'PHASE', 'AGE', 'BYTES', 'TRY', 'PROCESS', 'REQUEST'];
  printTable(
    head,
    rows.map((row) => [
      row.method,
      row.host,
      row.path,
      row.waitingFor === undefined ? row.phase : `waits for ${row.waitingFor}`,
      duration(row.age),
      String(row.bytes),
      String(row.attempt),
      row.process,
      row.requestId,
    ]),
    'nothing in flight',
  );
}

async function listProcesses(fleet: Fleet, flags: PsFlags): Promise<void> {
  const processes = await fleet.processes();
  if (wantsJson(flags)) return printJson(processes);
  const head = ['PROCESS', 'STATE', 'PLACES TAKEN', 'HOST', 'PHASES', 'OLDEST'];
  printTable(head, processes.flatMap(rowsOf), 'no process');
}

function rowsOf(each: FleetProcess): string[][] {
  const state = each.leaseLeft > 0 ? each.state : 'dead';
  const name = [each.id, state, `${each.taken} of ${each.maxConnections}`];
  if (each.hosts.length === 0) return [[...name, '', '', '']];
  return each.hosts.map(({ host, phases, oldest }, index) => [
    ...(index === 0 ? name : ['', '', '']),
    host,
    Object.entries(phases)
      .map(([phase, count]) => `${count} ${phase}`)
      .join(', '),
    duration(oldest),
  ]);
}
