import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Redis } from 'ioredis';

/** How often each thing was asked for since the start, by name. */
export type Counts = Record<string, number>;

/** ms after which the server's metrics have what came before. */
const METRICS_LAG = 1_200;

/**
 * Calls that came in at Temporal's frontend from every client of namespace `default`, native ones
 * too, polls that found nothing included: counted by the server itself.
 */
export async function temporalCalls(metricsUrl: string): Promise<Counts> {
  await delay(METRICS_LAG);
  const counts: Counts = {};
  for (const line of (await (await fetch(metricsUrl)).text()).split('\n')) {
    const [, labels = '', value] = /^service_requests\{(.*)\} (\S+)$/.exec(line) ?? [];
    if (!labels.includes('service_name="frontend"')) continue;
    if (!labels.includes('namespace="default"')) continue;
    const operation = /operation="(\w+)"/.exec(labels)?.[1];
    if (operation) counts[operation] = (counts[operation] ?? 0) + Number(value);
  }
  return counts;
}

/** Commands that Redis has run, those inside of scripts included. */
export async function redisCommands(redis: Redis): Promise<Counts> {
  const counts: Counts = {};
  for (const line of (await redis.info('commandstats')).split('\n')) {
    const [, command, calls] = /^cmdstat_(\S+?):calls=(\d+)/.exec(line) ?? [];
    // Only the bench itself asks for it.
    if (command && command !== 'info') counts[command] = Number(calls);
  }
  return counts;
}

export function difference(before: Counts, after: Counts): Counts {
  return Object.fromEntries(
    Object.entries(after)
      .map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
      .filter(([, count]) => count !== 0),
  );
}

export function total(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

/** History events of all workflows started since then, once all of them have closed. */
export async function historyEvents(client: Client, since: Date): Promise<number> {
  const query = `StartTime >= '${since.toISOString()}'`;
  let before = -1;
  for (;;) {
    let [workflows, events, running] = [0, 0, 0];
    for await (const each of client.workflow.list({ query, pageSize: 1_000 })) {
      workflows++;
      events += each.historyLength;
      if (each.status.name === 'RUNNING') running++;
    }
    // What is listed lags a little behind what has happened.
    if (running === 0 && workflows === before) return events;
    before = workflows;
    await delay(200);
  }
}
