import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hit } from '../../src/testing/target-server.ts';
import type { FaultKind } from './faults.ts';
import type { Journal } from './journal.ts';
import type { EndedRequest } from './outcomes.ts';
import type { FleetWorker } from './workers.ts';

export interface RunReport {
  seed: number;
  journal: Journal;
  requests: EndedRequest[];
  faults: FaultKind[];
  workers: FleetWorker[];
  /** All that the target has seen. */
  hits: readonly Hit[];
  /** ms from the end of the last fault to that of the last request. */
  recovery: number;
}

/** One run in a few lines, and what was wrong. */
export function describe(report: RunReport): string {
  const { seed, journal, requests, faults, hits, recovery } = report;
  const { violations } = journal;
  const callbacks = requests.filter(({ callback }) => callback).length;
  const resent = requests.reduce(
    (sum, { path, tries }) => sum + Math.max(0, hitsOf(path, hits).length - tries),
    0,
  );
  return [
    `seed ${seed}: ${requests.length} requests, ${faults.length} faults, ${violations.length} violations`,
    `  outcomes   ${counts(requests.map(({ outcome }) => outcome))}`,
    `  callbacks  ${callbacks}`,
    `  faults     ${counts(faults)}`,
    `  target     ${hits.length} hits, ${resent} of them sent again because of a fault`,
    `  recovery   ${(recovery / 1000).toFixed(1)} s from the last fault to the last outcome`,
    ...violations.map((violation) => `  VIOLATION (seed ${seed}) ${violation}`),
  ].join('\n');
}

function hitsOf(path: string, hits: readonly Hit[]): Hit[] {
  return hits.filter((hit) => hit.path === path);
}

function counts(names: string[]): string {
  const count = new Map<string, number>();
  for (const name of names) count.set(name, (count.get(name) ?? 0) + 1);
  return [...count]
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, times]) => `${name} ${times}`)
    .join(', ');
}

/** The whole run as files, to look for a cause; gives their folder. */
export async function writeEvidence(report: RunReport): Promise<string> {
  const { seed, journal, requests, workers, hits } = report;
  const folder = await mkdtemp(join(tmpdir(), `patient-chaos-seed-${seed}-`));
  await writeFile(join(folder, 'journal.log'), journal.lines.join('\n'));
  const lines = requests
    .toSorted((a, b) => a.endedAt - b.endedAt)
    .map(({ endedAt, ...request }) =>
      JSON.stringify({
        ended: new Date(endedAt),
        hits: hitsOf(request.path, hits).map(({ at, aborted }) => ({
          ...{ at: new Date(performance.timeOrigin + at), aborted },
        })),
        ...request,
      }),
    );
  await writeFile(join(folder, 'requests.jsonl'), lines.join('\n'));
  for (const { name, process } of workers) {
    await writeFile(join(folder, `${name.replace(' ', '-')}.log`), process.stderr);
  }
  return folder;
}
