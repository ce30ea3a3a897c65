import { expect, test } from 'vitest';
import type { Statistics, StatisticsBucket } from '../../src/fleet/port.ts';
import { averageOf, seriesOf } from '../../src/web/series.ts';

const MINUTE = 60_000;
const NOW = 100 * MINUTE;

function bucket(start: number, rest: Partial<StatisticsBucket>): StatisticsBucket {
  return {
    ...{ start, requests: 0, duration: 0, errors: 0, errorsByType: {}, statuses: {} },
    ...{ retries: 0, capacityReached: 0, durations: {} },
    ...rest,
  };
}

test('average and percentile are of the same requests, those that had a try', () => {
  const minute = bucket(NOW, {
    // Ten failed without one.
    ...{ requests: 12, errors: 10, duration: 150 },
    durations: { 50: 1, 100: 1 },
  });
  const statistics: Statistics = { totals: minute, hours: [], minutes: [minute] };
  const points = seriesOf(statistics, 'hour', NOW);
  expect(points.at(-1)).toMatchObject({ requests: 12, errors: 10, average: 75, p95: 95 });
  expect(points.at(-2)).toMatchObject({ requests: 0, average: undefined, p95: undefined });
  expect(averageOf(bucket(0, { requests: 10, errors: 10 }))).toBeUndefined();
});
