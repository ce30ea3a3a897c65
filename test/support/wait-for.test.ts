import { expect, test } from 'vitest';
import { waitFor } from './wait-for.ts';

test('gives what the condition gives once that is truthy', async () => {
  let asked = 0;
  expect(await waitFor(() => ++asked > 2 && { asked })).toEqual({ asked: 3 });
});

test('a condition that never holds, or never answers, fails with what was waited for', async () => {
  const options = { timeout: 30, message: () => 'the end' };
  const failure = 'Not so after 30 ms: the end';
  await expect(waitFor(() => false, options)).rejects.toThrow(failure);
  await expect(waitFor(() => new Promise(() => {}), options)).rejects.toThrow(failure);
});

test('a condition that fails is not asked again', async () => {
  await expect(waitFor(() => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
});
