import { cpuBetween, medians } from '../measure.ts';
import { startPeer } from '../peer.ts';
import type { TlsClient, tlsClients } from '../peers/tls-clients.ts';
import type { tlsTarget } from '../peers/tls-target.ts';
import { ratio, type CaseResult } from '../report.ts';

const SYSTEMS: TlsClient[] = [
  'Patient HTTP, HTTP/1.1',
  'bare undici, HTTP/1.1',
  'Patient HTTP, HTTP/2',
  'bare undici, HTTP/2',
  'bare node:http2',
];
const WARM_UP = 20;

type Measured = Awaited<ReturnType<typeof measure>>;

/** POSTs in flight over TLS: what each costs in the transport, without Temporal. */
export async function tls({
  count,
  rounds,
}: {
  count: number;
  rounds: number;
}): Promise<CaseResult> {
  const measured = new Map<TlsClient, Measured[]>(SYSTEMS.map((system) => [system, []]));
  for (let round = 0; round < rounds; round++) {
    for (const system of round % 2 ? SYSTEMS.toReversed() : SYSTEMS) {
      measured.get(system)!.push(await measure(system, count));
    }
  }
  const figures = SYSTEMS.map((system) => ({ system, ...medians(measured.get(system)!) }));
  const [ours1, bare1, ours2, bare2, node2] = figures as unknown as Measured[];
  const compare = (what: string, ours: Measured, bare: Measured): string =>
    `${what}: heap ${ratio(ours['heap KB/req'], bare['heap KB/req'])}, ` +
    `RSS ${ratio(ours['RSS KB/req'], bare['RSS KB/req'])}, ` +
    `CPU ${ratio(ours['CPU ms/req'], bare['CPU ms/req'])}.`;
  return {
    title: `${count} POSTs in flight over TLS in one process`,
    parameters: { requests: count, rounds },
    rows: figures,
    remarks: [
      compare('HTTP/1.1, Patient HTTP to bare undici', ours1!, bare1!),
      compare('HTTP/2, Patient HTTP to bare undici', ours2!, bare2!),
      compare('HTTP/2, Patient HTTP to bare node:http2', ours2!, node2!),
    ],
    rounds: Object.fromEntries(measured),
  };
}

async function measure(system: TlsClient, count: number) {
  await using target = await startPeer<typeof tlsTarget>('tls-target');
  await using client = await startPeer<typeof tlsClients>('tls-clients');
  const where = await target.call('start');
  const run = async (requests: number) => {
    const calls = client.call(system, { ...where, count: requests });
    // A failing call must not leave the wait for those that never arrive.
    const early = calls.then((answered) => Promise.reject(new Error(`${answered} were answered`)));
    const { sessions } = await Promise.race([target.call('waitFor', requests), early]);
    early.catch(() => {});
    const plateau = await client.call('usage', { gc: true });
    await target.call('release');
    const answered = await calls;
    if (answered !== requests) throw new Error(`${system}: ${answered} of ${requests} answered`);
    return { sessions, plateau };
  };
  await run(WARM_UP);
  const before = await client.call('usage', { gc: true });
  const started = performance.now();
  const { sessions, plateau } = await run(count);
  const took = performance.now() - started;
  const after = await client.call('usage', { gc: false });
  const perRequest = (bytes: number): number => bytes / 1024 / count;
  return {
    sessions,
    'heap KB/req': perRequest(plateau.heap - before.heap),
    'external KB/req': perRequest(plateau.external - before.external),
    'RSS KB/req': perRequest(plateau.rss - before.rss),
    'CPU ms/req': cpuBetween(before, after) / count,
    's in all': took / 1000,
  };
}
