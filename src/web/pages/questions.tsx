import type { Child, PropsWithChildren } from 'hono/jsx';
import { keyString } from '../../shared/request-key.ts';
import type { MessageId } from '../languages.ts';
import { readKey } from './given-key.ts';
import { Code, Target, Workflow } from '../view/parts.tsx';
import type { View } from '../view/view.ts';
import { Drain } from './drain.tsx';
import { withoutTarget } from './failures.tsx';
import { budgetOf, KeyState, waitingUrl } from './flow.tsx';

/** Failures that can be started again. */
const FAILURES = 1_000;

interface QuestionProps {
  view: View;
  title: MessageId;
  text?: MessageId;
  action: MessageId;
  /** What the answer is about. */
  field?: { name: string; value: string };
  back: string;
}

/** A page that asks before it does something. */
function Question(props: PropsWithChildren<QuestionProps>) {
  const { view, title, text, action, field, back, children } = props;
  const { t } = view;
  return (
    <section class="question">
      <h1>{t.text(title)}</h1>
      {children}
      {text && <p>{t.text(text)}</p>}
      <div class="buttons">
        <button form="act" formaction={view.url.pathname} {...field} class="primary">
          {t.text(action)}
        </button>
        <a class="button" href={back}>
          {t.text('action.back')}
        </a>
      </div>
    </section>
  );
}

export async function askCancel(view: View): Promise<Child | undefined> {
  const { t, ask, url } = view;
  const id = url.searchParams.get('key') ?? '';
  const key = readKey(id);
  if (!key) return undefined;
  const page = await ask.requests({ key });
  const [row] = 'value' in page ? page.value.rows : [];
  if (!row) return undefined;
  return (
    <Question
      {...{ view, title: 'confirm.cancel', text: 'confirm.cancelText', action: 'action.cancel' }}
      {...{ field: { name: 'key', value: id }, back: '/requests' }}
    >
      <p>
        <Target of={row} />
      </p>
      <dl class="facts">
        <dt>{t.text('column.phase')}</dt>
        <dd>{t.text(`phase.${row.phase}`)}</dd>
        <dt>{t.text('column.age')}</dt>
        <dd>{t.duration(row.age)}</dd>
        <dt>{t.text('column.bytes')}</dt>
        <dd>{t.bytes(row.bytes)}</dd>
        <dt>{t.text('column.workflow')}</dt>
        <dd>
          <Workflow view={view} of={row.key} />
        </dd>
      </dl>
    </Question>
  );
}

export async function askRedrive(view: View): Promise<Child | undefined> {
  const { t, ask, url } = view;
  const key = url.searchParams.get('key') ?? '';
  const failures = await ask.failures(FAILURES);
  const found =
    'value' in failures ? failures.value.find((each) => keyString(each.key) === key) : undefined;
  if (!found) return undefined;
  return (
    <Question
      {...{ view, title: 'confirm.redrive', text: 'confirm.redriveText', action: 'action.redrive' }}
      {...{ field: { name: 'key', value: key }, back: '/failures' }}
    >
      <p>
        <Target of={found} />
      </p>
      <dl class="facts">
        <dt>{t.text('column.time')}</dt>
        <dd>{t.moment(found.at)}</dd>
        <dt>{t.text('column.error')}</dt>
        <dd>
          <Code>{found.type}</Code>
        </dd>
        <dt>{t.text('column.message')}</dt>
        <dd>
          <bdi>{withoutTarget(found)}</bdi>
        </dd>
        <dt>{t.text('column.workflow')}</dt>
        <dd>
          <Workflow view={view} of={found.key} />
        </dd>
      </dl>
    </Question>
  );
}

export async function askDrain(view: View): Promise<Child | undefined> {
  const id = view.url.searchParams.get('process') ?? '';
  const processes = await view.ask.processes();
  const found = 'value' in processes ? processes.value.find((each) => each.id === id) : undefined;
  if (!found) return undefined;
  return (
    <Question
      {...{ view, title: 'confirm.drain', text: 'confirm.drainText', action: 'action.drain' }}
      {...{ field: { name: 'process', value: id }, back: '/processes' }}
    >
      <p>
        <Code>{id}</Code>
      </p>
      <Drain view={view} processes={[found]} />
    </Question>
  );
}

export async function askClear(view: View): Promise<Child> {
  return (
    <Question
      {...{ view, title: 'confirm.clear', text: 'confirm.clearText', action: 'action.clear' }}
      back="/"
    />
  );
}

const LIMITS = [
  ['rate', 'flow.rate', 'decimal'],
  ['period', 'chart.period', 'text'],
  ['burst', 'flow.burst', 'numeric'],
  ['concurrency', 'flow.concurrency', 'numeric'],
] as const;

/** The limits of a flow key, to be changed. */
export async function askChange(view: View): Promise<Child | undefined> {
  const { t, ask, url } = view;
  const name = url.searchParams.get('key') ?? '';
  const keys = await ask.flowKeys({ text: name });
  const found = 'value' in keys ? keys.value.rows.find(({ key }) => key === name) : undefined;
  if (!found) return undefined;
  return (
    <section class="question">
      <h1>
        {t.text('action.change')}: <Code>{name}</Code>
      </h1>
      <p>
        <KeyState view={view} flowKey={found} /> {budgetOf(view, found)}
      </p>
      <div class="fields">
        {LIMITS.map(([field, label, inputmode]) => (
          <label>
            {t.text(label)}
            <input
              {...{ form: 'act', name: field, inputmode, dir: 'ltr', autocomplete: 'off' }}
              value={String(found.override[field] ?? '')}
              placeholder={String(found.limits[field] ?? '')}
            />
          </label>
        ))}
      </div>
      <p class="hint">{t.text('flow.hint')}</p>
      <input type="hidden" form="act" name="key" value={name} />
      <div class="buttons">
        <button form="act" formaction="/flow/change" class="primary">
          {t.text('action.change')}
        </button>
        <button form="act" formaction="/flow/change" name="clear" value="1">
          {t.text('action.takeBack')}
        </button>
        <a class="button" href="/flow">
          {t.text('action.back')}
        </a>
      </div>
      <p>
        <a href={waitingUrl(name)}>{t.text('flow.waiting')}</a>
      </p>
    </section>
  );
}
