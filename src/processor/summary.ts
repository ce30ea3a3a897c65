import type { TaskView } from './observers.ts';

/** Hosts listed one by one; the rest is one line. */
const MAX_HOSTS = 20;

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
    const name = hosts.has(host) || hosts.size < MAX_HOSTS ? host : '(others)';
    const summary = hosts.get(name) ?? { host: name, phases: {}, oldest: 0 };
    summary.phases[phase] = (summary.phases[phase] ?? 0) + 1;
    summary.oldest = Math.max(summary.oldest, now - acceptedAt);
    hosts.set(name, summary);
  }
  return [...hosts.values()];
}
