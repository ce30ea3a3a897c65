import { readFileSync, writeFileSync } from 'node:fs';
import v8 from 'node:v8';
import vm from 'node:vm';

/** What a process has used so far; CPU in ms, sizes in bytes. */
export interface Usage {
  /** All threads, Temporal's native core among them. */
  cpu: number;
  /** Of it, spent on the collections asked for here: no part of what is measured. */
  gcCpu: number;
  heap: number;
  /** Buffers and the like, outside the heap. */
  external: number;
  rss: number;
}

let gc: (() => void) | undefined;
let gcCpu = 0;

/** A full collection; the first call makes it available. */
export function forceGc(): void {
  if (!gc) {
    v8.setFlagsFromString('--expose-gc');
    gc = vm.runInNewContext('gc') as () => void;
  }
  const before = process.cpuUsage();
  // What finalizers let go of falls to the second one.
  gc();
  gc();
  gcCpu += milliseconds(process.cpuUsage(before));
}

export function usage(options: { gc: boolean }): Usage {
  if (options.gc) forceGc();
  const { heapUsed, external, rss } = process.memoryUsage();
  return { cpu: milliseconds(process.cpuUsage()), gcCpu, heap: heapUsed, external, rss };
}

/** CPU ms between two looks, without the forced collections. */
export function cpuBetween(before: Usage, after: Usage): number {
  return after.cpu - before.cpu - (after.gcCpu - before.gcCpu);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return Number.isInteger(half)
    ? (sorted[half - 1]! + sorted[half]!) / 2
    : (sorted[Math.floor(half)] ?? NaN);
}

/** The median of each figure over the rounds. */
export function medians<K extends string>(rounds: readonly Record<K, number>[]): Record<K, number> {
  const keys = Object.keys(rounds[0] ?? {}) as K[];
  return Object.fromEntries(
    keys.map((key) => [key, median(rounds.map((round) => round[key]))]),
  ) as Record<K, number>;
}

function milliseconds({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1000;
}

/** Bytes; since {@link resetPeakRss} on Linux, elsewhere since the process began. */
export function peakRss(): number {
  const [, kilobytes] = /^VmHWM:\s+(\d+)/m.exec(procFile('status')) ?? [];
  return kilobytes ? Number(kilobytes) * 1024 : process.resourceUsage().maxRSS * 1024;
}

export function resetPeakRss(): void {
  if (process.platform === 'linux') writeFileSync('/proc/self/clear_refs', '5');
}

function procFile(name: string): string {
  return process.platform === 'linux' ? readFileSync(`/proc/self/${name}`, 'utf8') : '';
}
