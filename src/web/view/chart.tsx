import type { FC } from 'hono/jsx';
import type { MessageId } from '../languages.ts';
import type { Point } from '../series.ts';
import type { Translator } from '../translator.ts';

export interface Line {
  name: MessageId;
  className: string;
  value: (point: Point) => number | undefined;
}

export interface ChartProps {
  t: Translator;
  title: MessageId;
  /** Beside the title. */
  unit?: MessageId;
  points: Point[];
  lines: Line[];
  /** Counts as bars, with the first of the lines alone. */
  bars?: boolean;
  format: (value: number) => string;
  clock: (at: number) => string;
}

/** Of the drawing; it is stretched to whatever room there is. */
const WIDTH = 600;
const HEIGHT = 120;

/** One chart; its numbers are also in the table below all of them. */
export const Chart: FC<ChartProps> = (props) => {
  const { t, title, unit, points, lines, bars, format, clock } = props;
  const values = lines.map(({ value }) => points.map(value));
  const known = values.flat().filter((value) => value !== undefined);
  const top = niceTop(Math.max(0, ...known));
  const last = values[0]?.at(-1) ?? 0;
  const name = t.text(title);
  const summary = t.text('chart.summary', {
    title: name,
    highest: format(Math.max(0, ...known)),
    latest: format(last),
  });
  return (
    <figure class="chart">
      <figcaption>
        <b>{name}</b> {unit && <small>{t.text(unit)}</small>}
        {lines.length > 1 && (
          <span class="legend">
            {lines.map((line) => (
              <span class={line.className}>{t.text(line.name)}</span>
            ))}
          </span>
        )}
      </figcaption>
      <div class="plot" dir="ltr">
        <span class="top" dir="auto">
          {format(top)}
        </span>
        <svg
          role="img"
          aria-label={summary}
          viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
          preserveAspectRatio="none"
        >
          <path
            class="grid"
            d={`M0 .5H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT - 0.5}H${WIDTH}`}
          />
          {lines.map(({ className }, index) =>
            bars ? (
              <path class={`bars ${className}`} d={barsOf(values[index]!, top)} />
            ) : (
              <path class={`line ${className}`} d={lineOf(values[index]!, top)} />
            ),
          )}
        </svg>
        <span class="start" dir="auto">
          {clock(points[0]!.start)}
        </span>
        <span class="end" dir="auto">
          {clock(points.at(-1)!.start)}
        </span>
      </div>
    </figure>
  );
};

type Values = (number | undefined)[];

function barsOf(values: Values, top: number): string {
  const step = WIDTH / values.length;
  const width = round(step * 0.7);
  return values
    .map((value = 0, index) => {
      if (value === 0) return '';
      const height = round(Math.max(1, (value / top) * HEIGHT));
      return `M${round(index * step)} ${HEIGHT}v-${height}h${width}v${height}z`;
    })
    .join('');
}

/** Interrupted where there is nothing; a lone point is a dash. */
function lineOf(values: Values, top: number): string {
  const step = WIDTH / values.length;
  return values
    .map((value, index) => {
      if (value === undefined) return '';
      const y = round(HEIGHT - (value / top) * HEIGHT);
      const isFirst = values[index - 1] === undefined;
      return isFirst
        ? `M${round(index * step)} ${y}h${round(step / 2)}`
        : `L${round((index + 0.5) * step)} ${y}`;
    })
    .join('');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** 1, 2 or 5 times a power of ten: a scale that stays while the values move a little. */
function niceTop(highest: number): number {
  if (highest <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(highest));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= highest)!;
}
