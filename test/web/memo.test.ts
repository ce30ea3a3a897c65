import { expect, test } from 'vitest';
import { Memo } from '../../src/web/memo.ts';
import { waitFor } from '../support/wait-for.ts';

test('who asks while there is no answer yet waits for the same one, however long', async () => {
  const memo = new Memo();
  let fail!: (error: Error) => void;
  const promise = new Promise<string>((_, reject) => {
    fail = reject;
  });
  let asked = 0;
  const ask = () => memo.get('redis', 0, () => (asked++, promise));
  const first = ask();
  const start = performance.now();
  await waitFor(() => performance.now() > start + 1);
  const second = ask();
  fail(new Error('no answer'));
  await expect(first).rejects.toThrow('no answer');
  await expect(second).rejects.toThrow('no answer');
  expect(asked).toBe(1);
});

test('an answer, or that there is none, is known for a while', async () => {
  const memo = new Memo();
  let asked = 0;
  const ask = (ttl: number) =>
    memo.get('redis', ttl, () => Promise.reject(new Error(`${asked++}`)));
  await expect(ask(60_000)).rejects.toThrow('0');
  await expect(ask(60_000)).rejects.toThrow('0');
  memo.forget();
  await expect(ask(60_000)).rejects.toThrow('1');
});
