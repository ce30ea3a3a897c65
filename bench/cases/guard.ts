import { createSecureContext } from 'node:tls';
import { resolveOptions, type PatientOptions } from '../../src/config/options.ts';
import { resolveRequest } from '../../src/config/request-spec.ts';
import { createTransport } from '../../src/http/transport.ts';
import type { Transport } from '../../src/processor/transport.ts';
import type { Environment } from '../environment.ts';
import { cpuBetween, median, usage } from '../measure.ts';
import { ratio, type CaseResult } from '../report.ts';

const WARM_UP = 200;

const OPTIONS = {
  'guard off': { allowPrivateAddresses: true },
  'guard on': {
    allowAddresses: ['127.0.0.0/8'],
    allowHosts: ['*.internal'],
    denyHosts: ['metadata.internal'],
  },
} satisfies Record<string, PatientOptions>;
type System = keyof typeof OPTIONS;

const CONNECTIONS = ['kept', 'new'] as const;
type Connections = (typeof CONNECTIONS)[number];

/** The transport alone, one request after the other: a name is looked up and its address checked. */
export async function guard(
  { origin }: Environment,
  { count, rounds }: { count: number; rounds: number },
): Promise<CaseResult> {
  const url = `${origin.replace('127.0.0.1', 'localhost')}/status/200`;
  const systems = Object.keys(OPTIONS) as System[];
  const secureContext = createSecureContext();
  const transports = new Map(
    systems.map((system) => [
      system,
      createTransport({ ...resolveOptions(OPTIONS[system]), secureContext }),
    ]),
  );
  const measured: { system: System; connections: Connections; cpu: number }[] = [];
  try {
    for (let round = 0; round < rounds; round++) {
      for (const connections of CONNECTIONS) {
        // By turns: whoever comes second finds everything warm.
        for (const system of round % 2 ? systems.toReversed() : systems) {
          const transport = transports.get(system)!;
          await send(transport, url, connections, WARM_UP);
          const before = usage({ gc: true });
          await send(transport, url, connections, count);
          const cpu = cpuBetween(before, usage({ gc: false })) / count;
          measured.push({ system, connections, cpu: cpu * 1000 });
        }
      }
    }
  } finally {
    for (const transport of transports.values()) await transport.close();
  }

  const figure = (system: System, connections: Connections): number =>
    median(
      measured
        .filter((each) => each.system === system && each.connections === connections)
        .map(({ cpu }) => cpu),
    );
  return {
    title: 'Address guard, CPU µs per request in the transport',
    parameters: { requests: count, rounds },
    rows: systems.map((system) => ({
      system,
      'kept connection': figure(system, 'kept'),
      'new connection': figure(system, 'new'),
    })),
    remarks: CONNECTIONS.map(
      (connections) =>
        `${connections} connection, on to off: ` +
        `${ratio(figure('guard on', connections), figure('guard off', connections))}.`,
    ),
    rounds: measured,
  };
}

async function send(
  transport: Transport,
  url: string,
  connections: Connections,
  count: number,
): Promise<void> {
  const request = resolveRequest(url, { requestId: 'bench', defaults: resolveOptions() });
  if (connections === 'new') request.headers = { connection: 'close' };
  const { signal } = new AbortController();
  for (let i = 0; i < count; i++) {
    await transport.send(request, { signal, onSent() {}, onBytes() {} });
  }
}
