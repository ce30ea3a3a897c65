import type { Child, FC } from 'hono/jsx';
import { Brand, Document } from '../web/view/document.tsx';
import { Badge, Bar, Code, Tile } from '../web/view/parts.tsx';
import { MAX_CALLS } from './round.ts';
import type { SideFigures } from './side.ts';

/** ms between two loads of a page whose browser runs no scripts, while something goes on. */
const RELOAD = 3_000;

export interface Place {
  /** Undefined where there is none. */
  dashboard: string | undefined;
  /** Of Temporal's UI. */
  temporalUi: string | undefined;
  /** Of the target. */
  target: string;
  maxConnections: number;
}

export interface PageProps extends Place {
  /** As they were typed. */
  fields: Record<string, string>;
  /** Why the last thing asked for was not done. */
  problem?: string | undefined;
  figures: { patient: SideFigures; plain: SideFigures };
  isRunning: boolean;
}

export const PlaygroundPage: FC<PageProps> = (props) => {
  const { fields, problem, figures, isRunning } = props;
  const { dashboard, target, temporalUi, maxConnections } = props;
  return (
    <Document
      language="en"
      direction="ltr"
      title="Playground"
      skip="Skip to the content"
      live="/live"
      reload={isRunning && problem === undefined ? RELOAD : undefined}
    >
      <header>
        <Brand />
        <p class="place">Playground</p>
        <div class="tools">
          <button id="live" type="button" aria-pressed="true" data-off="Connecting…">
            Live
          </button>
          <a id="reload" class="button" href="/">
            Reload
          </a>
        </div>
        <nav aria-label="Elsewhere">
          <a href="/" aria-current="page">
            Playground
          </a>
          {dashboard !== undefined && <a href={dashboard}>Dashboard</a>}
          {temporalUi !== undefined && <a href={temporalUi}>Workflows in Temporal’s UI</a>}
        </nav>
      </header>
      <main id="main" tabindex={-1}>
        <h1>Slow calls, both ways</h1>
        <p>
          The same workflow code calls the same slow server: once through Patient HTTP, once through
          an activity with <Code>fetch</Code> in a worker with Temporal’s default of 100 slots.
        </p>
        {problem !== undefined && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <section class="card">
          <Form fields={fields} />
        </section>
        <section id="sides">
          <Sides figures={figures} maxConnections={maxConnections} />
        </section>
        <p class="hint">
          Patient HTTP may call the server although its address, <Code>{target}</Code>, is private.
          Beside <Code>/slow</Code> it has <Code>/redirect</Code>, <Code>/error</Code>,{' '}
          <Code>/time</Code> and <Code>/request</Code>.
        </p>
      </main>
    </Document>
  );
};

const Form: FC<{ fields: Record<string, string> }> = ({ fields }) => (
  <form method="post" action="/fire">
    <div class="fields">
      <Field name="patient" label="Patient HTTP, calls" max={MAX_CALLS} value={fields} />
      <Field name="plain" label="Plain activity, calls" max={MAX_CALLS} value={fields} />
      <Field name="delay" label="Delay, seconds" max={60} step="0.1" value={fields} />
      <Field name="drift" label="Drift, ± seconds" max={60} step="0.1" value={fields} />
      <Field name="errors" label="Answered with 500, %" max={100} step="0.1" value={fields} />
    </div>
    <div class="buttons">
      <button class="primary">Fire</button>
      <button formaction="/stop" formnovalidate>
        Stop all
      </button>
    </div>
  </form>
);

interface FieldProps {
  name: string;
  label: string;
  max: number;
  step?: string;
  value: Record<string, string>;
}

const Field: FC<FieldProps> = ({ name, label, max, step = '1', value }) => (
  <label>
    {label}
    <input
      type="number"
      name={name}
      min="0"
      max={String(max)}
      step={step}
      value={value[name] ?? ''}
      required
    />
  </label>
);

export interface SidesProps {
  figures: PageProps['figures'];
  maxConnections: number;
}

/** What changes by itself. */
export const Sides: FC<SidesProps> = ({ figures, maxConnections }) => (
  <div class="pair">
    <SideCard
      title="Patient HTTP"
      figures={figures.patient}
      hint={
        `A call holds no slot: up to ${number(maxConnections)} are in flight in this process, ` +
        'the rest wait in Temporal.'
      }
    />
    <SideCard
      title="Plain activity"
      figures={figures.plain}
      hint="A call holds one of 100 slots until its answer is there; the rest wait in Temporal."
    />
  </div>
);

const SideCard: FC<{ title: string; hint: string; figures: SideFigures }> = (props) => {
  const { title, hint, figures } = props;
  const { fired, waiting, inFlight, peak, answered, failed, stopped, p50, p95, took } = figures;
  const ended = answered + failed + stopped;
  return (
    <div class="card">
      <h2>
        {title} <State figures={figures} />
      </h2>
      <p class="hint">{hint}</p>
      <p class="with-bar">
        <Bar share={fired === 0 ? 0 : ended / fired} />
        <span>
          {number(ended)} of {number(fired)} ended{took !== undefined && `, in ${seconds(took)}`}
        </span>
      </p>
      <div class="tiles">
        <Tile name="In flight" value={number(inFlight)}>
          <small>peak {number(peak)}</small>
        </Tile>
        <Tile name="Waiting" value={number(waiting)} />
        <Tile name="Answered" value={number(answered)} />
        <Tile name="Failed" value={number(failed)} bad={failed > 0}>
          {stopped > 0 && <small>and {number(stopped)} stopped</small>}
        </Tile>
        <Tile name="Half answered within" value={seconds(p50)} />
        <Tile name="95 % within" value={seconds(p95)} />
      </div>
    </div>
  );
};

function State({ figures }: { figures: SideFigures }): Child {
  const { fired, inFlight, waiting } = figures;
  if (fired === 0) return <Badge tone="quiet">nothing fired</Badge>;
  if (inFlight + waiting > 0) return <Badge tone="busy">under way</Badge>;
  return <Badge tone="good">done</Badge>;
}

const english = new Intl.NumberFormat('en');

function number(value: number): string {
  return english.format(value);
}

function seconds(ms: number | undefined): string {
  return ms === undefined ? '–' : `${(ms / 1000).toFixed(1)} s`;
}
