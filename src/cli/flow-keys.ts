import { optionsFromEnvironment } from '../config/environment.ts';
import { checkFlowChange } from '../config/flow-change.ts';
import { resolveOptions } from '../config/options.ts';
import type { FlowAdmin, FlowKey } from '../flow/port.ts';
import { RedisFlowAdmin } from '../flow/redis-admin.ts';
import { RedisConnection } from '../liveness/redis-connection.ts';
import { keysOf } from '../liveness/redis-keys.ts';
import { CliError } from './failure.ts';
import { formatTable } from './table.ts';
import { temporalSettings } from './temporal-connection.ts';

export interface LimitOptions {
  rate?: string;
  period?: string;
  burst?: string;
  concurrency?: string;
  clear?: boolean;
}

export function listKeys(): Promise<void> {
  return withAdmin(async (admin) => print(await admin.list()));
}

export function showKey(key: string): Promise<void> {
  return act(key, async () => undefined);
}

export function setLimits(key: string, { clear, ...limits }: LimitOptions): Promise<void> {
  const change = checkFlowChange(key, numbers(limits));
  if (!clear && Object.keys(change).length === 0) {
    throw new CliError('flow set: say what to set, or --clear');
  }
  return act(key, (admin) => admin.set(key, clear ? undefined : change));
}

export function pauseKey(key: string): Promise<void> {
  return act(key, (admin) => admin.pause(key));
}

export function resumeKey(key: string): Promise<void> {
  return act(key, (admin) => admin.resume(key));
}

function act(key: string, use: (admin: FlowAdmin) => Promise<void>): Promise<void> {
  checkFlowChange(key, {});
  return withAdmin(async (admin) => {
    await use(admin);
    print([await admin.show(key)]);
  });
}

function print(keys: FlowKey[]): void {
  console.log(process.stdout.isTTY ? table(keys) : JSON.stringify(keys));
}

async function withAdmin(use: (admin: FlowAdmin) => Promise<void>): Promise<void> {
  const { redisUrl, taskQueue } = resolveOptions(optionsFromEnvironment(process.env));
  if (redisUrl === undefined) {
    throw new CliError(
      'flow: set PATIENT_REDIS_URL; without Redis each process has its own limits',
    );
  }
  const { namespace = 'default' } = temporalSettings();
  await RedisConnection.visit(redisUrl, (connection) =>
    use(new RedisFlowAdmin(connection, keysOf(namespace, taskQueue))),
  );
}

/** As the schema wants them; what is no number stays text, for the schema to refuse. */
function numbers({ period, ...rest }: LimitOptions): Record<string, unknown> {
  const counts = Object.entries(rest).map(([name, text]) => {
    const number = Number(text);
    return [name, Number.isNaN(number) ? text : number] as const;
  });
  return { ...Object.fromEntries(counts), ...(period !== undefined && { period }) };
}

function table(keys: FlowKey[]): string {
  if (keys.length === 0) return 'no key';
  const seconds = (ms: number): string => (ms === 0 ? '' : `${(ms / 1000).toFixed(1)} s`);
  const rows = keys.map((each) => {
    const { rate, period, burst, concurrency } = each.override;
    const set = [
      ...(rate === undefined ? [] : [`${rate} per ${period! / 1000} s`]),
      ...(burst === undefined ? [] : [`burst ${burst}`]),
      ...(concurrency === undefined ? [] : [`${concurrency} at once`]),
    ];
    return [
      each.key,
      each.paused ? 'paused' : each.coolFor > 0 ? `cooling ${seconds(each.coolFor)}` : 'open',
      String(each.inFlight),
      seconds(each.nextIn),
      String(each.failures),
      set.join(', '),
    ];
  });
  return formatTable([['KEY', 'STATE', 'IN FLIGHT', 'NEXT IN', 'FAILURES', 'SET'], ...rows]);
}
