import { defaultPayloadConverter } from '@temporalio/common';
import { expect, test } from 'vitest';
import { encodeResults } from '../../src/completion/batch-results.ts';
import { HeldBody } from '../../src/http/large-body.ts';
import { HeldOutcomes } from '../../src/liveness/held-outcomes.ts';
import type { ItemReport } from '../../src/processor/batch-task.ts';
import type { ItemResult } from '../../src/shared/batch.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const key = { namespace: 'n', workflowId: 'w', runId: 'r', activityId: 'a' };

function report(bytes: number, rest: Partial<ItemReport> = {}): ItemReport {
  const piece = Buffer.alloc(Math.min(bytes, MiB), 'x');
  return {
    ...{ tries: 0, keep: 'all', bounded: false },
    ending: {
      kind: 'response',
      response: {
        ...{ status: 200, headers: {}, url: 'http://a/', method: 'GET', redirects: [] },
        ...{ requestId: 'r', durationMs: 1, attempt: 1, callbackArgs: null },
        body: new HeldBody(
          Array.from({ length: Math.ceil(bytes / MiB) }, () => piece),
          true,
        ),
        bodyEncoding: 'utf8',
      },
    },
    ...rest,
  };
}

/** `store`: payloads of any size are small. */
async function results(
  reports: ItemReport[],
  maxBytes: number,
  store = false,
  held = new HeldOutcomes(),
): Promise<ItemResult[]> {
  const encode = async (_: unknown, value: unknown) => [
    defaultPayloadConverter.toPayload(store ? 'an id' : value),
  ];
  return (await encodeResults({ encode }, held, { key, reports, maxBytes })).results;
}

const kinds = (given: ItemResult[]): string[] =>
  given.map((result) =>
    'error' in result && result.error ? result.error.type : Object.keys(result)[0]!,
  );

test('what fits is given, what does not is held, the largest first', async () => {
  const held = new HeldOutcomes();
  const given = await results(
    [400, 300, 200, 100].map((n) => report(n * KiB)),
    350 * KiB,
    false,
    held,
  );
  expect(kinds(given)).toEqual(['held', 'held', 'response', 'response']);
  const found = await held.collect(key, [0, 1], []);
  expect([...found.keys()]).toEqual([0, 1]);
  const [first] = given as { held: number }[];
  expect(first!.held).toBeGreaterThan(400 * KiB);
  expect(first!.held).toBeLessThan(401 * KiB);
});

test('what is part of the result of its batch gives way', async () => {
  const given = await results(
    [400, 300].map((n) => report(n * KiB, { bounded: true })),
    350 * KiB,
  );
  expect(kinds(given)).toEqual(['ResponseTooLargeError', 'response']);
});

test.each([
  [400 * KiB, 'use a sink, or keep: "status"'],
  [3 * MiB, 'use a sink and a payloadStore, or keep: "status"'],
])('and says what helps: %i bytes', async (bytes, advice) => {
  const [given] = await results([report(bytes, { bounded: true })], 350 * KiB);
  expect(given).toMatchObject({
    error: { message: expect.stringMatching(new RegExp(`of its batch: ${advice}$`)) },
  });
});

test('what does not fit alone says what helps, the others are as they are', async () => {
  const given = await results(
    [3 * MiB, 100 * KiB, MiB].map((n) => report(n)),
    2 * MiB,
  );
  expect(kinds(given)).toEqual(['ResponseTooLargeError', 'response', 'response']);
  expect(given[0]).toMatchObject({
    error: { message: expect.stringMatching(/more than Temporal takes, 2 MB: set a payloadStore/) },
  });
});

test('bodies that no string could hold together are held, also where a store takes them', async () => {
  const given = await results(
    [60, 200, 30].map((n) => report(n * MiB)),
    2 * MiB,
    true,
  );
  expect(kinds(given)).toContain('held');
  expect(kinds(given)).not.toContain('ResponseTooLargeError');
});
