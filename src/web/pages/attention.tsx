import type { Child } from 'hono/jsx';
import type { Answer } from '../questions.ts';
import type { View } from '../view/view.ts';

/** Kept outcomes that are counted; more are "as many or more". */
const KEPT = 1_000;

/** Flow keys that are named; after the outage of one API there can be thousands. */
const KEYS = 10;

/** What an operator who was woken should look at first. */
export async function attention(view: View): Promise<Child> {
  const { t, ask } = view;
  const found = (
    await Promise.all([outages(view), processes(view), keys(view), kept(view)])
  ).flat();
  if ('value' in (await ask.processes()) && found.length === 0) {
    return <p class="calm">{t.text('attention.none')}</p>;
  }
  return (
    <>
      <h2>{t.text('attention.title')}</h2>
      <ul class="attention">
        {found.map((item) => (
          <li>{item}</li>
        ))}
      </ul>
    </>
  );
}

async function outages({ t, ask }: View): Promise<Child[]> {
  const [temporal, redis] = await Promise.all([ask.temporal(), ask.redis()]);
  const asked: [string, Answer<unknown>][] = [
    ['Temporal', temporal],
    ['Redis', redis],
  ];
  return asked.flatMap(([name, answer]) =>
    'problem' in answer ? [t.text('attention.noAnswer', { name, reason: answer.problem })] : [],
  );
}

async function processes({ t, ask }: View): Promise<Child[]> {
  return valuesOf(await ask.processes()).flatMap(({ id, ...process }): Child[] => {
    const link = (text: string) => [<a href="/processes">{text}</a>];
    if (process.leaseLeft <= 0) return link(t.text('attention.dead', { process: id }));
    if (process.state !== 'running') return link(t.text('attention.draining', { process: id }));
    if (process.taken < process.maxConnections) return [];
    return link(t.text('attention.full', { process: id }));
  });
}

async function keys({ t, ask }: View): Promise<Child[]> {
  const page = await ask.flowKeys();
  const rows = 'value' in page ? page.value.rows : [];
  const stopped = rows.filter(({ paused, coolFor }) => paused || coolFor > 0);
  const texts = stopped.slice(0, KEYS).map(({ key, paused, coolFor }) => {
    if (paused) return t.text('attention.paused', { key });
    return t.text('attention.cooling', { key, duration: t.duration(coolFor) });
  });
  if (stopped.length > KEYS) texts.push(t.text('attention.moreKeys'));
  return texts.map((text) => <a href="/flow">{text}</a>);
}

async function kept({ t, ask }: View): Promise<Child[]> {
  const { length: count } = valuesOf(await ask.keptOutcomes(KEPT));
  return count === 0 ? [] : [<a href="/failures">{t.text('attention.kept', { count })}</a>];
}

function valuesOf<T>(answer: Answer<T[]>): T[] {
  return 'value' in answer ? answer.value : [];
}
