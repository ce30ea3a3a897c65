import { OTHERS } from '../shared/constants.ts';
import type { TaskView } from './observers.ts';
import type { EndedItems } from './tasks.ts';

/** Hosts, and keys, listed one by one; the rest is one line. */
const MAX_LINES = 20;

/** What operators see of a processor in lists of all processes. */
export interface ProcessorSummary {
  state: string;
  /** Requests on the wire. */
  inFlight: number;
  /** Places taken, of `maxConnections`: a single request keeps its own until Temporal has its outcome. */
  taken: number;
  /** Requests in the process: waiting, on the wire, or on their way to Temporal. */
  total: number;
  maxConnections: number;
  hosts: HostSummary[];
  drain: DrainOutlook;
  /** Requests that wait for a flow key, by key. */
  waiting: Record<string, number>;
}

export interface HostSummary {
  host: string;
  /** Requests by phase. */
  phases: Record<string, number>;
  /** ms since the oldest of them was accepted. */
  oldest: number;
}

/** What is in a process, by host: the same size however many requests there are. */
export function summarize(tasks: Iterable<TaskView>): HostSummary[] {
  const hosts = new Map<string, HostSummary>();
  const now = Date.now();
  for (const { host, phase, acceptedAt } of tasks) {
    const name = hosts.has(host) || hosts.size < MAX_LINES ? host : OTHERS;
    const summary = hosts.get(name) ?? { host: name, phases: {}, oldest: 0 };
    summary.phases[phase] = (summary.phases[phase] ?? 0) + 1;
    summary.oldest = Math.max(summary.oldest, now - acceptedAt);
    hosts.set(name, summary);
  }
  return [...hosts.values()];
}

/** What a drain that began now would find. */
export interface DrainOutlook {
  /** Sent, or sent again, by another process. */
  handOver: number;
  /** On the wire, and may not be sent again: waited for until the drain timeout. */
  onWire: number;
  /** Outcomes on their way to Temporal, also while others of the same chunk are waited for. */
  delivering: number;
}

export function drainOutlook(tasks: Iterable<TaskView>, ended: EndedItems): DrainOutlook {
  const outlook: DrainOutlook = { handOver: 0, onWire: 0, delivering: ended.count };
  for (const { phase, request } of tasks) {
    if (phase === 'delivering') outlook.delivering++;
    else if (phase === 'sent' && !request.resendable) outlook.onWire++;
    else outlook.handOver++;
  }
  return outlook;
}

export function waitingByKey(tasks: Iterable<TaskView>): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { waitingFor } of tasks) {
    if (waitingFor === undefined) continue;
    const key = counts.has(waitingFor) || counts.size < MAX_LINES ? waitingFor : OTHERS;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return Object.fromEntries(counts);
}
