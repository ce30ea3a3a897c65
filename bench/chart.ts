import type { Results } from './reach.ts';

const WIDTH = 760;
const LABELS = 320;
const BAR = 22;
const GAP = 12;
const TOP = 56;
const BARS = WIDTH - LABELS - 90;
const OURS = '#0b7285';
const OTHERS = '#868e96';

/** Requests per second of every system, as bars; colours that stand on light and on dark. */
export function chartOf({ cases }: Results): string {
  const result = cases['throughput'];
  const bars = (result?.rows ?? []).map((row) => ({
    name: String(row['system']),
    rate: Number(row['req/s']),
  }));
  const { cores = 0, node = '' } = result?.machine ?? {};
  const where = `${cores} cores for worker, target, Temporal and Redis together, Node ${node}`;
  const most = Math.max(1, ...bars.map(({ rate }) => rate));
  const height = TOP + bars.length * (BAR + GAP) + 28;
  const lines = bars.flatMap(({ name, rate }, i) => {
    const y = TOP + i * (BAR + GAP);
    const width = Math.max(1, Math.round((rate / most) * BARS));
    const middle = y + BAR / 2 + 5;
    return [
      `<text x="${LABELS - 12}" y="${middle}" text-anchor="end">${escape(name)}</text>`,
      `<rect x="${LABELS}" y="${y}" width="${width}" height="${BAR}" rx="3" fill="${name.startsWith('Patient') ? OURS : OTHERS}"/>`,
      `<text x="${LABELS + width + 8}" y="${middle}">${Math.round(rate).toLocaleString('en')}</text>`,
    ];
  });
  const label = bars.map(({ name, rate }) => `${name} ${Math.round(rate)}`).join(', ');
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(`Requests per second: ${label}`)}">`,
    '<style>text{font:14px system-ui,sans-serif;fill:#343a40}.small{font-size:12px;fill:#868e96}@media(prefers-color-scheme:dark){text{fill:#e9ecef}.small{fill:#adb5bd}}</style>',
    `<text x="12" y="24" font-weight="600">Requests per second</text>`,
    `<text class="small" x="12" y="43">${escape(result?.title ?? '')}</text>`,
    ...lines,
    `<text class="small" x="12" y="${height - 10}">${escape(where)}; how it is measured: bench/README.md</text>`,
    '</svg>',
  ].join('\n')}\n`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
