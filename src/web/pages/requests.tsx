import type { Child } from 'hono/jsx';
import type { FleetRequest, RequestOrder, RequestPage, RequestQuery } from '../../fleet/port.ts';
import { REQUEST_ORDERS, TASK_PHASES } from '../../shared/constants.ts';
import { keyString } from '../../shared/request-key.ts';
import type { MessageId } from '../languages.ts';
import {
  Act,
  Badge,
  Code,
  FilterButtons,
  RowsChoice,
  rowsWanted,
  Table,
  Target,
  whole,
  Workflow,
  type Column,
} from '../view/parts.tsx';
import { elementId, withQuery, type Page, type View } from '../view/view.ts';

export const requests: Page = {
  path: '/requests',
  title: 'nav.requests',
  async regions(view) {
    const { ask, t } = view;
    const query = queryOf(view.url.searchParams);
    const [page, processes] = await Promise.all([ask.requests(query), ask.processes()]);
    const ids = 'value' in processes ? processes.value.map(({ id }) => id) : [];
    return [
      { id: 'filter', still: true, content: filter(view, query, ids) },
      { id: 'requests', content: whole(t, page, (value) => list(view, query, value)) },
    ];
  },
};

/** What is not understood filters nothing: a page that shows too much is better than none. */
function queryOf(params: URLSearchParams): RequestQuery & { limit: number } {
  const [text, host, process] = ['text', 'host', 'process'].map((name) => params.get(name)?.trim());
  const phase = TASK_PHASES.find((each) => each === params.get('phase'));
  const order = REQUEST_ORDERS.find((each) => each === params.get('order'));
  return {
    ...(text && { text }),
    ...(host && { host }),
    ...(process && { process }),
    ...(phase && { phase }),
    ...(order && { order }),
    ...(params.get('reverse') === '1' && { reverse: true }),
    limit: rowsWanted(params),
  };
}

function filter(view: View, query: ReturnType<typeof queryOf>, processes: string[]): Child {
  const { text } = view.t;
  const { order, reverse } = query;
  return (
    <form class="filter" method="get" action="/requests" role="search">
      {order && <input type="hidden" name="order" value={order} />}
      {reverse && <input type="hidden" name="reverse" value="1" />}
      <label class="wide">
        {text('filter.contains')}
        <input type="search" name="text" value={query.text} placeholder={text('filter.hint')} />
      </label>
      <label>
        {text('column.host')}
        <input type="text" name="host" value={query.host} dir="ltr" />
      </label>
      <Choice view={view} name="phase" label="column.phase" chosen={query.phase}>
        {TASK_PHASES.map((phase) => [phase, text(`phase.${phase}`)])}
      </Choice>
      <Choice view={view} name="process" label="column.process" chosen={query.process}>
        {processes.map((id) => [id, id])}
      </Choice>
      <RowsChoice t={view.t} chosen={query.limit} />
      <FilterButtons t={view.t} reset="/requests" />
    </form>
  );
}

function Choice(props: {
  view: View;
  name: string;
  label: MessageId;
  chosen: string | undefined;
  children: [value: string, text: string][];
}): Child {
  const { text } = props.view.t;
  return (
    <label>
      {text(props.label)}
      <select name={props.name}>
        <option value="">{text('filter.any')}</option>
        {props.children.map(([value, name]) => (
          <option value={value} selected={value === props.chosen}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function list(view: View, query: RequestQuery, page: RequestPage): Child {
  const { t } = view;
  const { rows, matched, total, silent } = page;
  const isFiltered = matched < total;
  return (
    <>
      {silent.length > 0 && (
        <p class="problem">{t.text('scope.silent', { count: silent.length })}</p>
      )}
      <p class="count">{t.text('filter.shown', { shown: rows.length, matched, total })}</p>
      <Table
        t={t}
        label={t.text('nav.requests')}
        columns={columnsOf(view, query)}
        none={isFiltered ? 'none.match' : 'none.requests'}
        rows={rows.map((row) => rowOf(view, row))}
      />
    </>
  );
}

function columnsOf(view: View, query: RequestQuery): Column[] {
  const sorted = (name: MessageId, order: RequestOrder): Column => ({
    name,
    number: order === 'age' || order === 'bytes' || order === 'attempt',
    sort: sortBy(view, query, order),
  });
  return [
    sorted('column.target', 'host'),
    sorted('column.phase', 'phase'),
    sorted('column.age', 'age'),
    sorted('column.bytes', 'bytes'),
    sorted('column.attempt', 'attempt'),
    { name: 'column.waitingFor' },
    { name: 'column.process' },
    { name: 'column.workflow' },
    ...(view.canChange ? [{ name: 'column.actions' } as const] : []),
  ];
}

/** Numbers fall and names rise at first; a second click turns that round. */
function sortBy(
  view: View,
  { order = 'age', reverse = false }: RequestQuery,
  wanted: RequestOrder,
): NonNullable<Column['sort']> {
  const isActive = order === wanted;
  const rises = wanted === 'host' || wanted === 'phase';
  return {
    href: withQuery(view, {
      order: wanted,
      reverse: isActive && !reverse ? '1' : undefined,
    }),
    active: isActive ? (rises === reverse ? 'descending' : 'ascending') : undefined,
  };
}

function rowOf(view: View, request: FleetRequest): Child {
  const { t } = view;
  const { key, method, host, path, phase, age, bytes, attempt, waitingFor, process } = request;
  return (
    <tr id={elementId(key)}>
      <th scope="row">
        <Target of={{ method, host, path }} />
      </th>
      <td>
        <Badge tone={phase === 'queued' ? 'busy' : phase === 'sent' ? 'good' : 'quiet'}>
          {t.text(`phase.${phase}`)}
        </Badge>
      </td>
      <td class="number">{t.duration(age)}</td>
      <td class="number">{bytes === 0 ? '–' : t.bytes(bytes)}</td>
      <td class="number">{t.number(attempt)}</td>
      <td>{waitingFor !== undefined && <Code>{waitingFor}</Code>}</td>
      <td>
        <Code>{process}</Code>
      </td>
      <td>
        <Workflow view={view} of={key} />
      </td>
      {view.canChange && (
        <td>
          <Act
            {...{ view, path: '/requests/cancel', action: 'action.cancel', ask: true }}
            subject={`${method} ${host}${path}`}
            fields={{ name: 'key', value: keyString(key) }}
          />
        </td>
      )}
    </tr>
  );
}
