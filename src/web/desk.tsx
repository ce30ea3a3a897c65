import type { Context } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import type { Child } from 'hono/jsx';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Access } from './access.ts';
import { acceptedLanguage, languageOf, type MessageId } from './languages.ts';
import type { Questions } from './questions.ts';
import { translatorOf } from './translator.ts';
import { Layout } from './view/layout.tsx';
import type { Page, View } from './view/view.ts';

export interface DeskOptions extends Pick<View, 'ask' | 'namespace' | 'taskQueue' | 'temporalUi'> {
  pages: readonly Page[];
  ask: Questions;
  access: Access;
}

export interface DocumentOptions {
  /** Where its live updates come from. */
  live?: string;
  /** Of the page, where it is not the request's own. */
  url?: URL | undefined;
  status?: ContentfulStatusCode;
}

/** s */
const YEAR = 365 * 24 * 60 * 60;

/** What is the same in all documents that go out. */
export class Desk {
  readonly #options: DeskOptions;

  constructor(options: DeskOptions) {
    this.#options = options;
  }

  /** `url` is that of the page where it is not the request's own. */
  view(context: Context, url = new URL(context.req.url)): View {
    const { ask, access, namespace, taskQueue, temporalUi } = this.#options;
    const t = translatorOf(languageFor(context));
    return { t, ask, url, namespace, taskQueue, temporalUi, canChange: access.canChange };
  }

  document(
    context: Context,
    title: MessageId,
    content: Child,
    { live, url, status = 200 }: DocumentOptions = {},
  ): Response | Promise<Response> {
    const { pages, access } = this.#options;
    const view = this.view(context, url);
    const { text, language } = view.t;
    context.header('content-language', language);
    context.header('vary', 'accept-language, cookie');
    const { token } = access;
    const html = <Layout {...{ view, pages, content, live, token }} title={text(title)} />;
    return context.html(`<!doctype html>${html}`, status);
  }

  /** `reason` is a text of the page's language, or an error's message; `back` the page to go on from. */
  problem(
    context: Context,
    status: 400 | 403 | 404 | 502,
    reason: string,
    back: string,
  ): Response | Promise<Response> {
    const { text } = this.view(context).t;
    const content = (
      <section class="question">
        <h1>{text('problem.title')}</h1>
        <p>
          <bdi>{reason}</bdi>
        </p>
        <a class="button" href={back}>
          {text('action.back')}
        </a>
      </section>
    );
    // The answer to a form has no address of its own.
    const isAnswer = context.req.method === 'POST';
    const url = isAnswer ? new URL(back, context.req.url) : undefined;
    return this.document(context, 'problem.title', content, { url, status });
  }
}

/** Asked for with `?lang=`, or so at an earlier time, or by the browser. */
function languageFor(context: Context): string {
  const asked = languageOf(context.req.query('lang') ?? '');
  if (asked !== undefined) {
    setCookie(context, 'lang', asked, { path: '/', sameSite: 'Lax', httpOnly: true, maxAge: YEAR });
    return asked;
  }
  const before = languageOf(getCookie(context, 'lang') ?? '');
  return before ?? acceptedLanguage(context.req.header('accept-language')) ?? 'en';
}
