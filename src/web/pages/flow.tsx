import type { Child } from 'hono/jsx';
import type { FlowKey, FlowPage } from '../../flow/port.ts';
import { OTHERS } from '../../shared/constants.ts';
import { waitedFor } from '../../shared/waiting.ts';
import {
  Act,
  Badge,
  Code,
  FilterButtons,
  RowsChoice,
  rowsWanted,
  Table,
  whole,
} from '../view/parts.tsx';
import type { Page, View } from '../view/view.ts';

export const flow: Page = {
  path: '/flow',
  title: 'nav.flow',
  async regions(view) {
    const { ask, t } = view;
    const query = queryOf(view.url.searchParams);
    const [page, processes] = await Promise.all([ask.flowKeys(query), ask.processes()]);
    const waiting = waitedFor('value' in processes ? processes.value : []);
    return [
      { id: 'filter', still: true, content: filter(view, query) },
      { id: 'flow', content: whole(t, page, (value) => list(view, value, waiting)) },
    ];
  },
};

function queryOf(params: URLSearchParams) {
  const text = params.get('text')?.trim();
  return { ...(text && { text }), limit: rowsWanted(params) };
}

function filter({ t }: View, { text, limit }: ReturnType<typeof queryOf>): Child {
  return (
    <form class="filter" method="get" action="/flow" role="search">
      <label class="wide">
        {t.text('filter.contains')}
        <input type="search" name="text" value={text} dir="ltr" />
      </label>
      <RowsChoice t={t} chosen={limit} />
      <FilterButtons t={t} reset="/flow" />
    </form>
  );
}

function list(view: View, page: FlowPage, waiting: Map<string, number>): Child {
  const { t } = view;
  const { rows, matched, total } = page;
  return (
    <>
      <p class="count">{t.text('flow.shown', { shown: rows.length, matched, total })}</p>
      <Table
        t={t}
        label={t.text('nav.flow')}
        columns={[
          { name: 'column.key' },
          { name: 'column.state' },
          { name: 'column.budget' },
          { name: 'column.used', number: true },
          { name: 'column.waiting', number: true },
          { name: 'column.nextIn', number: true },
          { name: 'column.coolingUntil' },
          { name: 'column.failuresInARow', number: true },
          ...(view.canChange ? [{ name: 'column.actions' } as const] : []),
        ]}
        none={matched < total ? 'none.match' : 'none.flow'}
        rows={rows.map((key) => rowOf(view, key, waitingText(view, key.key, waiting)))}
      />
    </>
  );
}

/** Processes name some keys only: beyond those a number is the least it can be. */
function waitingText({ t }: View, key: string, waiting: Map<string, number>): string {
  const count = waiting.get(key) ?? 0;
  if (!waiting.has(OTHERS)) return t.number(count);
  return count === 0 ? '?' : `≥ ${t.number(count)}`;
}

function rowOf(view: View, flowKey: FlowKey, waiting: string): Child {
  const { t } = view;
  const { key, paused, inFlight, nextIn, coolFor, failures } = flowKey;
  return (
    <tr id={`key-${key}`}>
      <th scope="row">
        <Code>{key}</Code>
      </th>
      <td>
        <KeyState view={view} flowKey={flowKey} />
      </td>
      <td>{budgetOf(view, flowKey)}</td>
      <td class="number">{t.number(inFlight)}</td>
      <td class="number">
        {waiting === t.number(0) ? (
          waiting
        ) : (
          <a href={waitingUrl(key)}>
            <bdi>{waiting}</bdi>
          </a>
        )}
      </td>
      <td class="number">{nextIn > 0 && t.duration(nextIn)}</td>
      <td>{coolFor > 0 && t.time(Date.now() + coolFor)}</td>
      <td class="number">{t.number(failures)}</td>
      {view.canChange && (
        <td class="acts">
          <Act
            {...{ view, subject: key, fields: { name: 'key', value: key } }}
            {...(paused
              ? { path: '/flow/resume', action: 'action.resume' }
              : { path: '/flow/pause', action: 'action.pause' })}
          />
          <Act
            {...{ view, subject: key, fields: { name: 'key', value: key }, ask: true }}
            {...{ path: '/flow/change', action: 'action.change' }}
          />
        </td>
      )}
    </tr>
  );
}

/** Of the requests that wait for a key. */
export function waitingUrl(key: string): string {
  return `/requests?${new URLSearchParams({ phase: 'queued', text: key })}`;
}

export function KeyState({ view, flowKey }: { view: View; flowKey: FlowKey }) {
  const { text } = view.t;
  if (flowKey.paused) return <Badge tone="bad">{text('state.paused')}</Badge>;
  if (flowKey.coolFor > 0) return <Badge tone="busy">{text('state.cooling')}</Badge>;
  return <Badge tone="good">{text('state.open')}</Badge>;
}

export function budgetOf({ t }: View, { limits }: FlowKey): string {
  const { rate, period, burst, concurrency } = limits;
  const parts = [
    rate !== undefined && t.text('flow.budgetRate', { rate, period: t.duration(period ?? 1_000) }),
    burst !== undefined && t.text('flow.budgetBurst', { count: burst }),
    concurrency !== undefined && t.text('flow.budgetConcurrency', { count: concurrency }),
  ].filter((part) => part !== false);
  return parts.length === 0 ? t.text('flow.noLimit') : parts.join(' · ');
}
