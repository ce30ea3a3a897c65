import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import type { FleetRequest, RequestOrder } from '../../src/fleet/port.ts';
import { mergePages, pageOf } from '../../src/fleet/request-page.ts';
import type { TaskView } from '../../src/processor/observers.ts';

const ORDERS: RequestOrder[] = ['age', 'bytes', 'attempt', 'host', 'phase'];

const task = fc.record({
  acceptedAt: fc.integer({ min: 0, max: 50 }),
  bytes: fc.integer({ min: 0, max: 50 }),
  tryNumber: fc.integer({ min: 1, max: 3 }),
  host: fc.constantFrom('a.example', 'b.example', 'c.example'),
  phase: fc.constantFrom('queued', 'sent', 'delivering'),
});

function viewOf(fields: object, index: number): TaskView {
  const key = { namespace: 'n', workflowId: `order-${index}`, runId: 'r', activityId: 'a' };
  const request = { method: 'GET', requestId: `request-${index}` };
  return { key, request, path: '/', ...fields } as unknown as TaskView;
}

test('however requests are spread over processes, the first rows of all are the same', () => {
  // Ages are of one moment.
  vi.useFakeTimers();
  fc.assert(
    fc.property(
      fc.array(task, { maxLength: 60 }),
      fc.constantFrom(...ORDERS),
      fc.boolean(),
      fc.integer({ min: 0, max: 20 }),
      (fields, order, reverse, limit) => {
        const tasks = fields.map(viewOf);
        const query = { order, reverse, limit };
        const all = pageOf(tasks, { order, reverse, limit: 1_000 }, 'p').rows;
        const parts = [0, 1, 2].map((part) =>
          pageOf(
            tasks.filter((_, index) => index % 3 === part),
            query,
            'p',
          ),
        );
        const page = mergePages(parts, query);
        const values = (rows: FleetRequest[]): unknown[] => rows.map((row) => row[order]);
        const rising = (order === 'host' || order === 'phase') !== reverse;
        const sorted = tasks
          .map((each) => pageOf([each], {}, 'p').rows[0]![order])
          .toSorted((a, b) => (a === b ? 0 : a < b === rising ? -1 : 1));
        expect(values(all)).toEqual(sorted);
        expect(values(page.rows)).toEqual(sorted.slice(0, limit));
        expect(page.rows).toHaveLength(Math.min(limit, tasks.length));
        expect(page).toMatchObject({ matched: tasks.length, total: tasks.length });
      },
    ),
  );
  vi.useRealTimers();
});

test('a query finds what it names, without regard to case', () => {
  const tasks = [
    viewOf({ host: 'api.example.com', phase: 'sent' }, 1),
    viewOf({ host: 'other.example', phase: 'queued' }, 2),
  ];
  const found = (query: object): string[] =>
    pageOf(tasks, query, 'p').rows.map(({ requestId }) => requestId);
  expect(found({ text: 'API.' })).toEqual(['request-1']);
  expect(found({ text: 'api?example' })).toEqual([]);
  expect(found({ text: 'a.i' })).toEqual([]);
  expect(found({ text: '[\\' })).toEqual([]);
  expect(found({ text: 'order-2' })).toEqual(['request-2']);
  expect(found({ text: 'REQUEST' })).toEqual(['request-1', 'request-2']);
  expect(found({ host: 'other.example', phase: 'queued' })).toEqual(['request-2']);
  expect(found({ host: 'other.example', phase: 'sent' })).toEqual([]);
});
