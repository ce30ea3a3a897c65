import type { Child } from 'hono/jsx';
import type { FleetProcess, Statistics, StatisticsBucket } from '../../fleet/port.ts';
import { OTHERS } from '../../shared/constants.ts';
import type { MessageId } from '../languages.ts';
import { Act, Bar, Code, Table, Tile, whole } from '../view/parts.tsx';
import type { Page, View } from '../view/view.ts';
import { averageOf } from '../series.ts';
import { attention } from './attention.tsx';
import { charts } from './charts.tsx';
import { Drain } from './drain.tsx';
import { health } from './health.tsx';

export const overview: Page = {
  path: '/',
  title: 'nav.overview',
  async regions(view) {
    const { ask, t } = view;
    // All at once: what does not answer is waited for once.
    const [processes, statistics, needs, state] = await Promise.all([
      ask.processes(),
      ask.statistics(),
      attention(view),
      health(view),
    ]);
    const fleet = 'value' in processes ? processes.value.filter(isAlive) : [];
    return [
      { id: 'attention', content: needs },
      { id: 'now', content: whole(t, processes, (value) => now(view, value)) },
      { id: 'totals', content: whole(t, statistics, ({ totals }) => tiles(view, totals)) },
      { id: 'basis', content: basis(view, fleet, state) },
      { id: 'charts', content: whole(t, statistics, (value) => charts(view, value)) },
      { id: 'hosts', content: hosts(view, fleet) },
      { id: 'breakdown', content: whole(t, statistics, (value) => breakdown(view, value)) },
    ];
  },
};

/** What all of it rests on, and what would become of it. */
function basis(view: View, processes: FleetProcess[], state: Child): Child {
  return (
    <div class="pair">
      <div class="card">
        <Drain view={view} processes={processes} />
      </div>
      <div class="card">{state}</div>
    </div>
  );
}

function now(view: View, processes: FleetProcess[]): Child {
  const { t } = view;
  const alive = processes.filter(isAlive);
  const sum = (of: (process: FleetProcess) => number) =>
    alive.reduce((total, process) => total + of(process), 0);
  const places = sum((each) => each.maxConnections);
  const share = places === 0 ? 0 : sum((each) => each.taken) / places;
  return (
    <>
      <h2>{t.text('totals.now')}</h2>
      <div class="tiles">
        <Tile name={t.text('nav.requests')} value={t.number(sum((each) => each.inFlight))} />
        <Tile name={t.text('column.waiting')} value={t.number(sum(waiting))} />
        <Tile name={t.text('totals.utilisation')} value={t.percent(share)}>
          <Bar share={share} tone={share >= 1 ? 'bad' : share > 0.8 ? 'busy' : 'good'} />
        </Tile>
        <Tile name={t.text('nav.processes')} value={t.number(alive.length)} />
      </div>
    </>
  );
}

function isAlive({ leaseLeft }: FleetProcess): boolean {
  return leaseLeft > 0;
}

function waiting({ hosts }: FleetProcess): number {
  return hosts.reduce((sum, { phases }) => sum + (phases['queued'] ?? 0), 0);
}

function tiles(view: View, totals: StatisticsBucket): Child {
  const { t } = view;
  const { requests, errors, capacityReached, retries, errorsByType } = totals;
  const average = averageOf(totals);
  const unknown = errorsByType['OutcomeUnknownError'] ?? 0;
  return (
    <>
      <h2>{t.text('chart.month')}</h2>
      <div class="tiles">
        <Tile name={t.text('totals.requests')} value={t.number(requests)} />
        <Tile name={t.text('totals.errors')} value={t.number(errors)}>
          <small>{t.percent(requests === 0 ? 0 : errors / requests)}</small>
        </Tile>
        <Tile
          name={t.text('totals.averageDuration')}
          value={average === undefined ? '–' : t.duration(average)}
        />
        <Tile name={t.text('totals.retries')} value={t.number(retries)} />
        <Tile name={t.text('totals.capacityReached')} value={t.number(capacityReached)} />
        <Tile name={t.text('totals.unknown')} value={t.number(unknown)} bad={unknown > 0} />
      </div>
    </>
  );
}

/** Whom requests are stuck on. */
function hosts(view: View, processes: FleetProcess[]): Child {
  const { t } = view;
  const all = new Map<string, { count: number; phases: Record<string, number>; oldest: number }>();
  for (const { host, phases, oldest } of processes.flatMap((process) => process.hosts)) {
    const sum = all.get(host) ?? { count: 0, phases: {}, oldest: 0 };
    for (const [phase, count] of Object.entries(phases)) {
      sum.phases[phase] = (sum.phases[phase] ?? 0) + count;
      sum.count += count;
    }
    sum.oldest = Math.max(sum.oldest, oldest);
    all.set(host, sum);
  }
  const rows = [...all].sort(([, a], [, b]) => b.count - a.count).slice(0, 20);
  return (
    <>
      <h2>{t.text('totals.byHost')}</h2>
      <Table
        t={t}
        label={t.text('totals.byHost')}
        columns={[
          { name: 'column.host' },
          { name: 'column.count', number: true },
          { name: 'column.phase' },
          { name: 'column.oldest', number: true },
        ]}
        none="none.requests"
        rows={rows.map(([host, { count, phases, oldest }]) => (
          <tr id={`host-${host}`}>
            <th scope="row">
              {host === OTHERS ? (
                '…'
              ) : (
                <a href={`/requests?${new URLSearchParams({ host })}`}>
                  <Code>{host}</Code>
                </a>
              )}
            </th>
            <td class="number">{t.number(count)}</td>
            <td>{phaseCounts(view, phases)}</td>
            <td class="number">{t.duration(oldest)}</td>
          </tr>
        ))}
      />
    </>
  );
}

function phaseCounts({ t }: View, phases: Record<string, number>): string {
  return Object.entries(phases)
    .map(([phase, count]) => `${t.number(count)} ${t.text(`phase.${phase}` as MessageId)}`)
    .join(' · ');
}

function breakdown(view: View, { totals }: Statistics): Child {
  const { t } = view;
  return (
    <>
      <div class="pair">
        <div>
          <h2>{t.text('totals.byStatus')}</h2>
          {counts(view, 'totals.byStatus', 'column.status', totals.statuses)}
        </div>
        <div>
          <h2>{t.text('totals.byType')}</h2>
          {counts(view, 'totals.byType', 'column.error', totals.errorsByType)}
        </div>
      </div>
      <p>
        <Act view={view} path="/statistics/clear" action="action.clear" subject="" ask />
      </p>
    </>
  );
}

function counts(
  { t }: View,
  label: MessageId,
  name: MessageId,
  counted: Record<string, number>,
): Child {
  const entries = Object.entries(counted).sort(([, a], [, b]) => b - a);
  const sum = entries.reduce((total, [, count]) => total + count, 0);
  return (
    <Table
      t={t}
      label={t.text(label)}
      columns={[{ name }, { name: 'column.count', number: true }]}
      none={label === 'totals.byType' ? 'none.failures' : 'chart.none'}
      rows={entries.map(([each, count]) => (
        <tr id={`count-${each}`}>
          <th scope="row">
            <Code>{each}</Code>
          </th>
          <td class="number">
            {t.number(count)} <Bar share={count / sum} tone={toneOf(each)} />
          </td>
        </tr>
      ))}
    />
  );
}

function toneOf(name: string): 'good' | 'busy' | 'bad' {
  if (/^[23]/.test(name)) return 'good';
  return name.startsWith('4') ? 'busy' : 'bad';
}
