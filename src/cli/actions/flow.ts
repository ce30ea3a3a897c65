import { checkFlowChange, typedLimits } from '../../config/flow-change.ts';
import type { FlowAdmin, FlowKey } from '../../flow/port.ts';
import { ConfigError } from '../../shared/errors.ts';
import type { FlowLimits } from '../../shared/flow-limits.ts';
import { MAX_ROWS } from '../../shared/row-limit.ts';
import { mostWaitedFor } from '../../shared/waiting.ts';
import { readInteger } from '../arguments.ts';
import { UsageError } from '../failure.ts';
import { withFleet } from '../fleet.ts';
import { printJson, printTable, say, wantsJson } from '../output.ts';

export interface KeyFlags {
  json?: boolean | undefined;
}

export interface LimitFlags extends KeyFlags {
  rate?: string;
  period?: string;
  burst?: string;
  concurrency?: string;
  clear?: boolean;
}

export interface ListFlags extends KeyFlags {
  contains?: string;
  limit?: string;
}

export function listKeys({ contains, limit, ...flags }: ListFlags): Promise<void> {
  const query = {
    ...(contains !== undefined && { text: contains }),
    ...(limit !== undefined && { limit: readInteger('--limit', limit, { min: 1, max: MAX_ROWS }) }),
  };
  return withFleet('flow', async (fleet) => {
    const first = mostWaitedFor(await fleet.processes());
    const { rows, matched } = await fleet.flow.list({ ...query, first });
    print(rows, flags);
    if (matched === rows.length) return;
    say(
      `${rows.length} of ${matched} keys; a --limit up to ${MAX_ROWS}, or --contains, shows others`,
    );
  });
}

export function showKey(key: string, flags: KeyFlags): Promise<void> {
  return act(key, flags, async () => undefined);
}

export function setLimits(key: string, { clear, json, ...limits }: LimitFlags): Promise<void> {
  const change = checked(key, typedLimits(limits));
  const isChange = Object.keys(change).length > 0;
  if (clear && isChange) throw new UsageError('--clear: expected no limits beside it, got some');
  if (!clear && !isChange) throw new UsageError('flow set: say what to set, or --clear');
  return act(key, { json }, (admin) =>
    admin.set(key, clear ? undefined : change).catch((error: unknown) => {
      throw error instanceof ConfigError ? new UsageError(error.message) : error;
    }),
  );
}

export function pauseKey(key: string, flags: KeyFlags): Promise<void> {
  return act(key, flags, (admin) => admin.pause(key));
}

export function resumeKey(key: string, flags: KeyFlags): Promise<void> {
  return act(key, flags, (admin) => admin.resume(key));
}

function act(
  key: string,
  flags: KeyFlags,
  use: (admin: FlowAdmin) => Promise<void>,
): Promise<void> {
  checked(key, {});
  return withFleet('flow', async ({ flow }) => {
    await use(flow);
    print([await flow.show(key)], flags);
  });
}

/** @throws UsageError */
function checked(key: string, limits: Record<string, unknown>): FlowLimits {
  try {
    return checkFlowChange(key, limits);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function print(keys: FlowKey[], flags: KeyFlags): void {
  if (wantsJson(flags)) printJson(keys);
  else printTable(HEAD, keys.map(row), 'no key');
}

const HEAD = ['KEY', 'STATE', 'IN FLIGHT', 'NEXT IN', 'FAILURES', 'SET'];

function row(each: FlowKey): string[] {
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
}

function seconds(ms: number): string {
  return ms === 0 ? '' : `${(ms / 1000).toFixed(1)} s`;
}
