import type { Child } from 'hono/jsx';
import type { Statistics } from '../../fleet/port.ts';
import type { MessageId } from '../languages.ts';
import { PERIODS, seriesOf, type Period, type Point } from '../series.ts';
import { Chart } from '../view/chart.tsx';
import { Table } from '../view/parts.tsx';
import { withQuery, type View } from '../view/view.ts';

const DEFAULT_PERIOD = 'hour';

/** Throughput, latency and errors of the period that the query names. */
export function charts(view: View, statistics: Statistics): Child {
  const { t } = view;
  const wanted = view.url.searchParams.get('period') ?? DEFAULT_PERIOD;
  const period = Object.hasOwn(PERIODS, wanted) ? (wanted as Period) : DEFAULT_PERIOD;
  const points = seriesOf(statistics, period, Date.now());
  const unit = period === 'hour' ? 'chart.perMinute' : 'chart.perHour';
  const number = (value: number) =>
    t.number(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
  const clock = (at: number) => (period === 'hour' ? t.clock(at) : t.moment(at));
  const shared = { t, points, clock };
  return (
    <>
      <nav class="periods" aria-label={t.text('chart.period')}>
        {Object.keys(PERIODS).map((each) => (
          <a
            href={withQuery(view, { period: each })}
            aria-current={each === period ? 'true' : undefined}
          >
            {t.text(`chart.${each}` as MessageId)}
          </a>
        ))}
      </nav>
      <div class="charts">
        <Chart
          {...shared}
          title="chart.throughput"
          unit={unit}
          lines={[{ name: 'totals.requests', className: 'requests', value: (p) => p.requests }]}
          bars
          format={number}
        />
        <Chart
          {...shared}
          title="chart.latency"
          lines={[
            { name: 'chart.p95', className: 'p95', value: (p) => p.p95 },
            { name: 'chart.average', className: 'average', value: (p) => p.average },
          ]}
          format={(value) => t.duration(value)}
        />
        <Chart
          {...shared}
          title="totals.errors"
          unit={unit}
          lines={[{ name: 'totals.errors', className: 'errors', value: (p) => p.errors }]}
          bars
          format={number}
        />
      </div>
      <details class="numbers">
        <summary>{t.text('chart.table')}</summary>
        {table(view, points, number, clock)}
      </details>
    </>
  );
}

function table(
  { t }: View,
  points: Point[],
  number: (value: number) => string,
  clock: (at: number) => string,
): Child {
  const duration = (ms: number | undefined) => (ms === undefined ? '–' : t.duration(ms));
  return (
    <Table
      t={t}
      label={t.text('chart.throughput')}
      columns={[
        { name: 'column.time' },
        { name: 'totals.requests', number: true },
        { name: 'totals.errors', number: true },
        { name: 'chart.average', number: true },
        { name: 'chart.p95', number: true },
      ]}
      none="chart.none"
      rows={points
        .filter(({ requests }) => requests > 0)
        .map(({ start, requests, errors, average, p95 }) => (
          <tr>
            <th scope="row">{clock(start)}</th>
            <td class="number">{number(requests)}</td>
            <td class="number">{number(errors)}</td>
            <td class="number">{duration(average)}</td>
            <td class="number">{duration(p95)}</td>
          </tr>
        ))
        .reverse()}
    />
  );
}
