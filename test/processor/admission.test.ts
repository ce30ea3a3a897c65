import { expect, test } from 'vitest';
import { Admission, SINGLES } from '../../src/processor/admission.ts';

const never = new AbortController().signal;

test('one that gives up leaves its line at once: the place that is free then is not lost with it', async () => {
  const admission = new Admission(1, () => undefined);
  admission.open();
  expect(admission.tryEnter()).toBe(true);
  const controller = new AbortController();
  const gone = admission.enter('batch', controller.signal);
  controller.abort(new Error('enough'));
  admission.leave(1);
  await expect(gone).rejects.toThrow('enough');
  expect(admission.tryEnter()).toBe(true);

  // Nor does it keep its place in the line from those behind it.
  const other = new AbortController();
  const first = admission.enter('batch', other.signal);
  const second = admission.enter('batch', never);
  const single = admission.enter(SINGLES, never);
  other.abort(new Error('enough'));
  await expect(first).rejects.toThrow('enough');
  admission.leave(1);
  await second;
  admission.leave(1);
  await single;
});
