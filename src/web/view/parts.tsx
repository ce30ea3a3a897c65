import type { Child, FC, PropsWithChildren } from 'hono/jsx';
import type { RequestKey } from '../../shared/request-key.ts';
import type { MessageId } from '../languages.ts';
import type { Answer } from '../questions.ts';
import type { Translator } from '../translator.ts';
import { workflowUrl, type View } from './view.ts';

/** Hosts, paths and ids: left to right in every language. */
export const Code: FC<PropsWithChildren<{ isId?: boolean }>> = ({ isId, children }) => (
  <bdi dir="ltr" class={isId ? 'code id' : 'code'}>
    {children}
  </bdi>
);

type Tone = 'good' | 'busy' | 'bad' | 'quiet';

/** A state in a word; the colour only underlines it. */
export const Badge: FC<PropsWithChildren<{ tone: Tone }>> = ({ tone, children }) => (
  <span class={`badge ${tone}`}>{children}</span>
);

/** What could be read, or why not. */
export function whole<T>(t: Translator, answer: Answer<T>, draw: (value: T) => Child): Child {
  if ('value' in answer) return draw(answer.value);
  return <p class="problem">{t.text('problem.unreadable', { reason: answer.problem })}</p>;
}

export interface Column {
  name: MessageId;
  /** Aligned at the end, digits of one width. */
  number?: boolean;
  /** Of a column to sort by. */
  sort?: { href: string; active: 'ascending' | 'descending' | undefined };
}

export interface TableProps {
  t: Translator;
  /** Names the table to screen readers. */
  label: string;
  columns: Column[];
  /** What stands in place of a table without rows. */
  none: MessageId;
  rows: Child[];
}

/** Scrolls inside its own box. */
export const Table: FC<TableProps> = ({ t, label, columns, none, rows }) => {
  if (rows.length === 0) return <p class="none">{t.text(none)}</p>;
  return (
    <div class="scroll" tabindex={0} role="region" aria-label={label}>
      <table>
        <thead>
          <tr>
            {columns.map(({ name, number, sort }) => (
              <th scope="col" class={number ? 'number' : undefined} aria-sort={sort?.active}>
                {sort ? (
                  <a href={sort.href} aria-label={t.text('filter.sort', { column: t.text(name) })}>
                    {t.text(name)}
                  </a>
                ) : (
                  t.text(name)
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{rows}</tbody>
      </table>
    </div>
  );
};

/** A number that is to be seen from afar. */
export function Tile(props: { name: string; value: string; bad?: boolean; children?: Child }) {
  return (
    <dl class={props.bad ? 'tile bad' : 'tile'}>
      <dt>{props.name}</dt>
      <dd>
        {props.value} {props.children}
      </dd>
    </dl>
  );
}

/** A share of a whole as a bar; the number stands beside it. */
export const Bar: FC<{ share: number; tone?: Tone }> = ({ share, tone = 'good' }) => (
  <svg class={`bar ${tone}`} width="72" height="8" aria-hidden="true">
    <rect width="72" height="8" rx="4" class="track" />
    <rect width={Math.round(72 * Math.min(1, Math.max(0, share)))} height="8" rx="4" />
  </svg>
);

/** Method, host and path: what a request is to a reader. */
export const Target: FC<{ of: { method: string; host: string; path: string } }> = ({ of }) => (
  <Code>
    <b>{of.method}</b> {of.host}
    <span class="path">{of.path}</span>
  </Code>
);

export const Workflow: FC<{ view: View; of: RequestKey }> = ({ view, of }) => {
  const href = workflowUrl(view, of.workflowId, of.runId);
  const name = of.index === undefined ? of.workflowId : `${of.workflowId} #${of.index}`;
  if (href === undefined) return <Code isId>{name}</Code>;
  return (
    <a href={href} title={name}>
      <Code isId>{name}</Code>
    </a>
  );
};

export interface ActProps {
  view: View;
  /** Of the POST, or with `ask` of the page that asks first. */
  path: string;
  action: MessageId;
  /** What it is done to, for who hears only the button. */
  subject: string;
  fields?: { name: string; value: string };
  ask?: boolean;
}

/** A button that changes something, or a link to the page that asks first. */
export const Act: FC<ActProps> = ({ view, path, action, subject, fields, ask }) => {
  if (!view.canChange) return null;
  const { text } = view.t;
  const label = text('action.of', { action: text(action), subject });
  if (ask) {
    const query = fields && `?${new URLSearchParams({ [fields.name]: fields.value })}`;
    return (
      <a class="button" href={path + (query ?? '')} aria-label={label}>
        {text(action)}
      </a>
    );
  }
  // One form, with the token, serves them all: see layout.
  return (
    <button form="act" formaction={path} {...fields} aria-label={label}>
      {text(action)}
    </button>
  );
};

const ROWS = [25, 50, 100, 250, 1000];
const DEFAULT_ROWS = 50;

/** Of a query's `limit`. */
export function rowsWanted(params: URLSearchParams): number {
  return ROWS.find((each) => each === Number(params.get('limit'))) ?? DEFAULT_ROWS;
}

/** The field of a filter that says how many. */
export function RowsChoice({ t, chosen }: { t: Translator; chosen: number }) {
  return (
    <label>
      {t.text('filter.rows')}
      <select name="limit">
        {ROWS.map((rows) => (
          <option value={String(rows)} selected={rows === chosen}>
            {t.number(rows)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** What sends a filter, and what takes it away. */
export function FilterButtons({ t, reset }: { t: Translator; reset: string }) {
  return (
    <div class="buttons">
      <button>{t.text('filter.apply')}</button>
      <a class="button" href={reset}>
        {t.text('filter.reset')}
      </a>
    </div>
  );
}
