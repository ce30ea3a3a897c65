import type { Child } from 'hono/jsx';
import type { RunningBatch } from '../../batches.ts';
import { Bar, Code, Table, whole } from '../view/parts.tsx';
import { elementId, workflowUrl, type Page, type View } from '../view/view.ts';

const ROWS = 50;

export const batches: Page = {
  path: '/batches',
  title: 'nav.batches',
  async regions(view) {
    const found = await view.ask.batches(ROWS);
    return [{ id: 'batches', content: whole(view.t, found, (value) => list(view, value)) }];
  },
};

function list(view: View, found: RunningBatch[]): Child {
  const { t } = view;
  return (
    <Table
      t={t}
      label={t.text('nav.batches')}
      columns={[
        { name: 'column.workflow' },
        { name: 'column.started' },
        { name: 'column.progress' },
        { name: 'column.succeeded', number: true },
        { name: 'column.failed', number: true },
        { name: 'column.running', number: true },
        { name: 'column.retrying', number: true },
      ]}
      none="none.batches"
      rows={found.map((batch) => rowOf(view, batch))}
    />
  );
}

function rowOf(view: View, { workflowId, runId, startedAt, progress }: RunningBatch): Child {
  const { t } = view;
  const href = workflowUrl(view, workflowId, runId);
  const id = <Code>{workflowId}</Code>;
  const count = (of: keyof NonNullable<typeof progress>) => progress && t.number(progress[of]);
  return (
    <tr id={elementId({ namespace: '', workflowId, runId, activityId: '' })}>
      <th scope="row">{href === undefined ? id : <a href={href}>{id}</a>}</th>
      <td>{t.moment(startedAt)}</td>
      <td>{progress && <Progress view={view} {...progress} />}</td>
      <td class="number">{count('succeeded')}</td>
      <td class="number">{count('failed')}</td>
      <td class="number">{count('running')}</td>
      <td class="number">{count('retrying')}</td>
    </tr>
  );
}

function Progress(props: { view: View; total: number; succeeded: number; failed: number }) {
  const { t } = props.view;
  const done = props.succeeded + props.failed;
  return (
    <span class="with-bar">
      <Bar share={props.total === 0 ? 0 : done / props.total} />
      <bdi dir="ltr">
        {t.number(done)} / {t.number(props.total)}
      </bdi>
    </span>
  );
}
