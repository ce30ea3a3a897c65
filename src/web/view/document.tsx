import type { FC, PropsWithChildren } from 'hono/jsx';
import { assetOf } from '../assets.ts';

export interface DocumentProps {
  language: string;
  direction: 'ltr' | 'rtl';
  title: string;
  /** What the link past the header says. */
  skip: string;
  /** Where its live updates come from. */
  live?: string | undefined;
  /** ms between two loads where the browser runs no scripts. */
  reload?: number | undefined;
}

/** The frame of every page. */
export const Document: FC<PropsWithChildren<DocumentProps>> = (props) => (
  <html lang={props.language} dir={props.direction}>
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>{`${props.title} · Patient HTTP`}</title>
      <link rel="icon" href={assetOf('icon.svg').url} type="image/svg+xml" />
      <link rel="stylesheet" href={assetOf('style.css').url} />
      <script src={assetOf('live.js').url} type="module" />
      {props.reload !== undefined && (
        <noscript>
          <meta http-equiv="refresh" content={String(props.reload / 1000)} />
        </noscript>
      )}
    </head>
    <body data-live={props.live}>
      <a class="skip" href="#main">
        {props.skip}
      </a>
      {props.children}
    </body>
  </html>
);

/** The way home, in the header of every page. */
export const Brand: FC = () => (
  <a class="brand" href="/">
    <img src={assetOf('icon.svg').url} alt="" width="20" height="20" />
    Patient HTTP
  </a>
);
