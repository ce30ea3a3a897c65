import type { Child } from 'hono/jsx';
import type { FailureRecord, KeptOutcome } from '../../fleet/port.ts';
import { isReadyMade } from '../../shared/methods.ts';
import { keyString } from '../../shared/request-key.ts';
import { Act, Code, Table, Target, whole, Workflow } from '../view/parts.tsx';
import { elementId, type Page, type View } from '../view/view.ts';

const ROWS = 100;

export const failures: Page = {
  path: '/failures',
  title: 'nav.failures',
  async regions(view) {
    const { ask, t } = view;
    const [kept, failed] = await Promise.all([ask.keptOutcomes(ROWS), ask.failures(ROWS)]);
    return [
      { id: 'failures', content: whole(t, failed, (value) => failureList(view, value)) },
      { id: 'kept', content: whole(t, kept, (value) => keptList(view, value)) },
    ];
  },
};

function failureList(view: View, failed: FailureRecord[]): Child {
  const { t } = view;
  return (
    <Table
      t={t}
      label={t.text('nav.failures')}
      columns={[
        { name: 'column.time' },
        { name: 'column.error' },
        { name: 'column.target' },
        { name: 'column.message' },
        { name: 'column.attempt', number: true },
        { name: 'column.workflow' },
        ...(view.canChange ? [{ name: 'column.actions' } as const] : []),
      ]}
      none="none.failures"
      rows={failed.map((failure) => failureRow(view, failure))}
    />
  );
}

function failureRow(view: View, failure: FailureRecord): Child {
  const { t } = view;
  const { at, type, method, host, path, key, workflowType = '', attempt } = failure;
  return (
    <tr id={elementId(key)}>
      <td>
        <time datetime={new Date(at).toISOString()}>{t.moment(at)}</time>
      </td>
      <td>
        <Code>{type}</Code>
      </td>
      <th scope="row">
        <Target of={{ method, host, path }} />
      </th>
      <td class="message">
        <bdi>{withoutTarget(failure)}</bdi>
      </td>
      <td class="number">{t.number(attempt)}</td>
      <td>
        <Workflow view={view} of={key} />
      </td>
      {view.canChange && (
        <td>
          {/* Of an item it is the whole batch, of an inline call what a user wrote. */}
          {key.index === undefined && isReadyMade(workflowType) && (
            <Act
              {...{ view, path: '/failures/redrive', action: 'action.redrive', ask: true }}
              subject={`${method} ${host}${path}`}
              fields={{ name: 'key', value: keyString(key) }}
            />
          )}
        </td>
      )}
    </tr>
  );
}

/** Messages begin with the request, which has a column of its own. */
export function withoutTarget({ message, method, host, path }: FailureRecord): string {
  const target = ['http', 'https']
    .map((scheme) => `${method} ${scheme}://${host}${path}: `)
    .find((prefix) => message.startsWith(prefix));
  return message.slice(target?.length ?? 0);
}

function keptList(view: View, kept: KeptOutcome[]): Child {
  const { t } = view;
  return (
    <>
      <h2>{t.text('kept.title')}</h2>
      {kept.length > 0 && <p class="hint">{t.text('kept.hint')}</p>}
      <Table
        t={t}
        label={t.text('kept.title')}
        columns={[
          { name: 'column.target' },
          { name: 'column.process' },
          { name: 'column.workflow' },
        ]}
        none="none.kept"
        rows={kept.map(({ key, method, host, path, process }) => (
          <tr id={`k${elementId(key)}`}>
            <th scope="row">
              <Target of={{ method, host, path }} />
            </th>
            <td>{process === undefined ? t.text('kept.gone') : <Code>{process}</Code>}</td>
            <td>
              <Workflow view={view} of={key} />
            </td>
          </tr>
        ))}
      />
    </>
  );
}
