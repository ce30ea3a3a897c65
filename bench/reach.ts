import type { CaseResult, Row } from './report.ts';
import type { SystemName } from './systems.ts';

/** What a run leaves. */
export interface Results {
  cases: Record<string, CaseRun>;
}

export interface Machine {
  cores: number;
  cpu: string;
  node: string;
  platform: string;
}

/** One case, with all its systems in one run. */
export interface CaseRun extends CaseResult {
  date: string;
  machine: Machine;
  /** Of the machine before, for one and for five minutes. */
  load: number[];
  seconds: number;
}

/** The figures that the project wants to reach, beside what this run has measured. */
export function summaryOf({ cases }: Results): CaseResult {
  const rows = [...ofThroughput(cases['throughput']), ...ofFlow(cases['flow'])];
  return {
    title: 'What is to be reached',
    parameters: {},
    rows,
    remarks: [],
    rounds: rows,
  };
}

function ofThroughput(result: CaseResult | undefined): Row[] {
  const of = (name: SystemName, figure: string): number =>
    Number(result?.rows.find(({ system }) => system === name)?.[figure]);
  if (!result) return [];
  const batch = (figure: string): number => of('Patient HTTP, batch', figure);
  const against = (name: SystemName, wanted: number): Row =>
    atLeast(`batch, throughput to ${name}`, batch('req/s') / of(name, 'req/s'), wanted);
  return [
    against('bare undici', 0.85),
    against('BullMQ job', 1),
    against('fetch activity, default slots', 10),
    atMost('batch, Temporal RPCs per 1,000', batch('RPCs/1000'), 10),
    atMost('batch, history events per 1,000', batch('events/1000'), 15),
  ];
}

function ofFlow(result: CaseResult | undefined): Row[] {
  if (!result) return [];
  const { rate = 0, burst = 0, concurrency = 0 } = result.parameters as Record<string, number>;
  const most = (rows: Row[], figure: string): number =>
    Math.max(...rows.map((row) => Number(row[figure])));
  const rated = result.rows.filter(({ limit }) => String(limit).includes('/s'));
  const placed = result.rows.filter(({ limit }) => String(limit).includes('at once'));
  const { besides } = result.rounds as { besides: { crowded: number; alone: number } };
  return [
    atMost('rate limit, most in a second', most(rated, 'most in a second'), rate + burst),
    atMost('concurrency limit, most at once', most(placed, 'most at once'), concurrency),
    atLeast('rate limit, share of it used', Number(rated[0]?.['of the limit used']), 0.95),
    atLeast('throughput beside a crowd', besides.crowded / besides.alone, 0.95),
  ];
}

function atLeast(figure: string, measured: number, wanted: number): Row {
  return {
    figure,
    measured,
    wanted: `at least ${wanted}`,
    reached: measured >= wanted ? 'yes' : 'no',
  };
}

function atMost(figure: string, measured: number, wanted: number): Row {
  return {
    figure,
    measured,
    wanted: `at most ${wanted}`,
    reached: measured <= wanted ? 'yes' : 'no',
  };
}
