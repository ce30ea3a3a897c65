import type { Child } from 'hono/jsx';
import type { Answer } from '../questions.ts';
import { Badge } from '../view/parts.tsx';
import type { View } from '../view/view.ts';

/** Whether what everything rests on answers. */
export async function health(view: View): Promise<Child> {
  const { t, ask } = view;
  const [temporal, redis] = await Promise.all([ask.temporal(), ask.redis()]);
  return (
    <>
      <h2>{t.text('health.title')}</h2>
      <dl class="facts">
        <dt>Temporal</dt>
        <dd>{stateOf(view, temporal)}</dd>
        <dt>Redis</dt>
        <dd>{stateOf(view, redis)}</dd>
      </dl>
    </>
  );
}

function stateOf({ t }: View, answer: Answer<number | undefined>): Child {
  if ('problem' in answer) return <Badge tone="bad">{t.text('health.down')}</Badge>;
  if (answer.value === undefined) return <Badge tone="quiet">{t.text('health.none')}</Badge>;
  return <Badge tone="good">{t.text('health.up', { duration: t.duration(answer.value) })}</Badge>;
}
