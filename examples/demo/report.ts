import type { CrashReport } from './crash.ts';
import { extrapolate, SLOTS, type PlainSample } from './plain-fetch.ts';
import type { CallResult } from './workflows.ts';

export interface Summary {
  results: CallResult[];
  /** From the first call to the last answer. */
  ms: number;
  peak: number;
  peakAt: string;
  callbacks: { expected: number; right: number; arrived: number };
  plain: PlainSample | undefined;
  /** Calls that have no answer count as lost. */
  crash: CrashReport | undefined;
}

/** The table, and what it stands beside. */
export function formatReport(summary: Summary): string {
  const { results, ms, peak, peakAt, callbacks } = summary;
  const total = results.length;
  return [
    '',
    formatTable(results),
    '',
    `All ${count(total)} calls:   ${seconds(ms)}, peak ${count(peak)} in flight ${peakAt}`,
    `Callbacks:         ${count(callbacks.right)} of ${count(callbacks.expected)} arrived, ` +
      `each exactly once (${count(callbacks.arrived)} in all)`,
    ...formatPlain(summary),
    ...formatCrash(summary),
    '',
  ].join('\n');
}

function formatTable(results: CallResult[]): string {
  const outcomes = [...new Set(results.map(({ outcome }) => outcome))].sort();
  const rows = outcomes.map((name) => {
    return [name, results.filter(({ outcome }) => outcome === name)] as const;
  });
  return [
    ['outcome', 'calls', 'p50', 'p99'],
    ...[...rows, ['all', results] as const].map(([outcome, calls]) => {
      const times = calls.map(({ ms }) => ms).toSorted((a, b) => a - b);
      return [outcome, count(calls.length), percentile(times, 50), percentile(times, 99)];
    }),
  ]
    .map(([outcome = '', ...cells]) => {
      return outcome.padEnd(24) + cells.map((cell) => cell.padStart(9)).join('');
    })
    .join('\n');
}

function formatPlain({ plain, results, ms }: Summary): string[] {
  if (!plain) return [];
  const total = results.length;
  const estimate = extrapolate(plain, total);
  const times = `${(estimate / ms).toFixed(1)} times as long`;
  const basis =
    plain.calls >= total
      ? 'measured in this run'
      : `extrapolated from ${plain.calls} calls in ${seconds(plain.ms)}, measured in this run`;
  return [
    `Plain fetch:       ${seconds(estimate)} for ${count(total)} calls, ${times}`,
    `                   (an activity with default settings, ${SLOTS} slots; ${basis})`,
  ];
}

function formatCrash({ crash, results }: Summary): string[] {
  if (!crash) return [];
  const { pid, cutOff, orphans, recovery, leaseSeconds, sentTwice, forbidden } = crash;
  const answered = results.filter(Boolean).length;
  return [
    `Orphans found:     ${count(orphans)} of worker ${pid}, killed while the API was working on ` +
      `${count(cutOff)} calls of its`,
    `Time to recover:   ${seconds(recovery)}, from the kill until the last was sent again ` +
      `(leaseTtl ${leaseSeconds} s)`,
    `Sent twice:        ${count(sentTwice)}, of them ${count(forbidden)} that may not be sent again`,
    `Lost:              ${count(results.length - answered)}`,
  ];
}

function percentile(sorted: number[], percent: number): string {
  return seconds(sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? 0);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function count(value: number): string {
  return value.toLocaleString('en');
}
