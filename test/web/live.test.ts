import { Hono } from 'hono';
import { expect, test } from 'vitest';
import { streamRegions } from '../../src/web/live.ts';

test('a page on which nothing changes is heard of all the same, or a proxy would cut it', async () => {
  const app = new Hono();
  const regions = new Map([['numbers', '<p>1</p>']]);
  app.get('/', (context) => streamRegions(context, async () => regions, { pace: 5, silence: 40 }));
  const response = await app.request('/');
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (text.split(': still here\n\n').length < 4) text += (await reader.read()).value;
  await reader.cancel();
  expect(text).toBe(
    `event: region\ndata: numbers\ndata: <p>1</p>\n\n${': still here\n\n'.repeat(3)}`,
  );
});
