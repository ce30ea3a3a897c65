import type { Child, FC } from 'hono/jsx';
import { LANGUAGES, type MessageId } from '../languages.ts';
import { Brand, Document } from './document.tsx';
import { Code } from './parts.tsx';
import { withQuery, workflowUrl, type Page, type View } from './view.ts';

export interface LayoutProps {
  view: View;
  pages: readonly Page[];
  /** Of the document. */
  title: string;
  /** Where the live updates of this page come from; undefined for a page that has none. */
  live?: string | undefined;
  /** Goes with every change. */
  token?: string | undefined;
  content: Child;
}

/** ms between two loads of a page whose browser runs no scripts. */
const RELOAD = 15_000;

export const Layout: FC<LayoutProps> = ({ view, pages, title, live, token, content }) => {
  const { t, url } = view;
  return (
    <Document
      language={t.language}
      direction={t.direction}
      title={title}
      skip={t.text('nav.skip')}
      live={live}
      reload={live === undefined ? undefined : RELOAD}
    >
      <header>
        <Brand />
        <p class="place">
          <Code>
            {view.namespace} / {view.taskQueue}
          </Code>
        </p>
        <div class="tools">
          {!view.canChange && (
            <span class="badge quiet" title={t.text('access.hint')}>
              {t.text('access.readOnly')}
            </span>
          )}
          {live && (
            <>
              <button id="live" type="button" aria-pressed="true" data-off={t.text('live.off')}>
                {t.text('live.on')}
              </button>
              <a
                id="reload"
                class="button"
                href={withQuery(view, { done: undefined, workflow: undefined })}
              >
                {t.text('live.reload')}
              </a>
            </>
          )}
          <Languages view={view} />
        </div>
        <nav aria-label={t.text('nav.label')}>
          {pages.map(({ path, title }) => (
            <a href={path} aria-current={path === url.pathname ? 'page' : undefined}>
              {t.text(title)}
            </a>
          ))}
        </nav>
      </header>
      <main id="main" tabindex={-1}>
        <Done view={view} />
        {view.ask.scope === 'process' && <p class="hint">{t.text('scope.process')}</p>}
        {content}
      </main>
      <footer>{t.zone()}</footer>
      {token !== undefined && (
        <form id="act" method="post">
          <input type="hidden" name="token" value={token} />
        </form>
      )}
    </Document>
  );
};

/** By the path of a change, or by what became of it. */
const DONE: Record<string, MessageId> = {
  '/requests/cancel': 'done.cancel',
  flagged: 'done.flagged',
  '/flow/pause': 'done.pause',
  '/flow/resume': 'done.resume',
  '/flow/change': 'done.change',
  '/failures/redrive': 'done.redrive',
  '/processes/drain': 'done.drain',
  '/statistics/clear': 'done.clear',
};

/** That the change which led here has been made. */
const Done: FC<{ view: View }> = ({ view }) => {
  const { searchParams } = view.url;
  const id = DONE[searchParams.get('done') ?? ''];
  if (!id) return null;
  const workflow = searchParams.get('workflow');
  const href = workflow === null ? undefined : workflowUrl(view, workflow);
  return (
    <p class="done" role="status">
      {view.t.text(id)} {workflow !== null && (href ? <a href={href}>{workflow}</a> : workflow)}
    </p>
  );
};

const Languages: FC<{ view: View }> = ({ view }) => {
  return (
    <details class="languages">
      <summary>
        <span class="only-heard">{view.t.text('nav.language')}: </span>
        {nameOf(view.t.language)}
      </summary>
      <ul>
        {LANGUAGES.map((language) => (
          <li>
            <a href={withQuery(view, { lang: language })} lang={language} hreflang={language}>
              {nameOf(language)}
            </a>
          </li>
        ))}
      </ul>
    </details>
  );
};

const names = new Map<string, string>();

/** In itself. */
function nameOf(language: string): string {
  const known = names.get(language);
  if (known !== undefined) return known;
  const name = new Intl.DisplayNames(language, { type: 'language' }).of(language) ?? language;
  names.set(language, name);
  return name;
}
