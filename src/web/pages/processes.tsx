import type { Child } from 'hono/jsx';
import type { FleetProcess } from '../../fleet/port.ts';
import type { MessageId } from '../languages.ts';
import { Act, Badge, Bar, Code, Table, whole } from '../view/parts.tsx';
import type { Page, View } from '../view/view.ts';
import { Drain } from './drain.tsx';

export const processes: Page = {
  path: '/processes',
  title: 'nav.processes',
  async regions(view) {
    const { ask, t } = view;
    const found = await ask.processes();
    return [
      { id: 'processes', content: whole(t, found, (value) => list(view, value)) },
      {
        id: 'deploy',
        content: 'value' in found && (
          <div class="card">
            <Drain view={view} processes={found.value} />
          </div>
        ),
      },
    ];
  },
};

function list(view: View, found: FleetProcess[]): Child {
  const { t } = view;
  return (
    <Table
      t={t}
      label={t.text('nav.processes')}
      columns={[
        { name: 'column.process' },
        { name: 'column.state' },
        { name: 'totals.utilisation' },
        { name: 'column.lease', number: true },
        { name: 'deploy.handOver', number: true },
        { name: 'deploy.onWire', number: true },
        { name: 'deploy.delivering', number: true },
        ...(view.canChange ? [{ name: 'column.actions' } as const] : []),
      ]}
      none="none.processes"
      rows={found.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((process) => rowOf(view, process))}
    />
  );
}

function rowOf(view: View, process: FleetProcess): Child {
  const { t } = view;
  const { id, taken, maxConnections, leaseLeft, drain } = process;
  const share = taken / maxConnections;
  return (
    <tr id={`process-${id}`}>
      <th scope="row">
        <a href={`/requests?${new URLSearchParams({ process: id })}`}>
          <Code>{id}</Code>
        </a>
      </th>
      <td>{stateOf(view, process)}</td>
      <td>
        <span class="with-bar">
          <Bar share={share} tone={share >= 1 ? 'bad' : share > 0.8 ? 'busy' : 'good'} />
          <bdi dir="ltr">
            {t.number(taken)} / {t.number(maxConnections)}
          </bdi>
          <small>{t.percent(share)}</small>
        </span>
      </td>
      <td class="number">{view.ask.scope === 'fleet' && t.duration(Math.max(0, leaseLeft))}</td>
      <td class="number">{t.number(drain.handOver)}</td>
      <td class="number">{t.number(drain.onWire)}</td>
      <td class="number">{t.number(drain.delivering)}</td>
      {view.canChange && (
        <td>
          {process.state === 'running' && leaseLeft > 0 && (
            <Act
              {...{ view, path: '/processes/drain', action: 'action.drain', ask: true }}
              {...{ subject: id, fields: { name: 'process', value: id } }}
            />
          )}
        </td>
      )}
    </tr>
  );
}

export function stateOf({ t }: View, { state, leaseLeft }: FleetProcess): Child {
  if (leaseLeft <= 0) return <Badge tone="bad">{t.text('state.dead')}</Badge>;
  const tone = state === 'running' ? 'good' : 'busy';
  return <Badge tone={tone}>{t.text(`state.${state}` as MessageId)}</Badge>;
}
