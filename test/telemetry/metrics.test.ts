import { expect, test } from 'vitest';
import { freePorts } from '../../src/testing/free-ports.ts';
import { BoundedLabel } from '../../src/telemetry/bounded-label.ts';
import { METRICS, type MetricName } from '../../src/telemetry/metrics.ts';
import { metricsExporter } from '../../src/telemetry/metrics-exporter.ts';
import { LEASE_TTL, startFleet } from '../redis/fleet.ts';
import { scrape, type Scrape } from '../support/prometheus.ts';
import { waitFor } from '../support/wait-for.ts';

const LONG = LEASE_TTL + 60_000;

test('a scrape shows what a known load, a crash and an outage of Redis have done', async () => {
  await using fleet = await startFleet();
  const { patient, target, taskQueue } = fleet;
  const [port, closed] = (await freePorts([undefined, undefined])) as [number, number];
  const until = async (what: string, holds: (scraped: Scrape) => boolean): Promise<Scrape> => {
    let seen: Scrape;
    return waitFor(
      async () => {
        seen = await scrape(`http://127.0.0.1:${port}/metrics`);
        return holds(seen) ? seen : undefined;
      },
      { timeout: LONG, message: () => `${what}:\n${seen.text.replace(/^(?!patient_).*\n/gm, '')}` },
    );
  };

  const victim = await fleet.worker();
  const held = [
    await patient.submit.get(target.url('/hold?1')),
    await patient.submit.get(target.url('/hold?2')),
    await patient.submit.post(target.url('/hold?3')),
  ];
  await target.waitFor(({ inFlight }) => inFlight === 3, LONG);
  const worker = await fleet.worker({
    PATIENT_LOG_LEVEL: 'debug',
    PATIENT_METRICS: `prometheus://127.0.0.1:${port}`,
    PATIENT_MAX_CONNECTIONS: '7',
  });
  const ready = await until('ready', ({ value }) => value('patient_ready') === 1);
  expect(ready.value('patient_max_connections')).toBe(7);
  expect(ready.value('patient_redis_up')).toBe(1);
  expect(ready.value('patient_requests_in_flight')).toBe(0);

  victim.kill('SIGKILL');
  await until('recovered', ({ value }) => value('patient_requests_in_flight') === 2);
  target.release();
  const results = await Promise.allSettled(held.map((handle) => handle.result()));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);

  const once = { retry: { maximumAttempts: 1 } };
  const slow = { flow: { key: 'slow', rate: 1, period: '3s' } };
  await Promise.all([
    patient.get(target.url('/status/200?body=12345')),
    patient.get(target.url('/status/404?body=123')),
    patient.get(target.url('/flaky/metrics/1'), { retry: { initialInterval: 1 } }),
    patient.post(target.url('/status/200'), { json: 1 }),
    patient.get(`http://127.0.0.1:${closed}/`, once).catch(() => undefined),
    patient.get(target.url('/status/200'), slow),
    patient.get(target.url('/status/200'), slow),
    patient.get(target.url('/status/409'), { raiseErrorResponses: true }).catch(() => undefined),
  ]);
  const requests = ['/status/200', '/hold?4'].map((path) => ({ url: target.url(path) }));
  const batch = await patient.submitBatch({ requests });
  const waiting = await until(
    'an item waits for the other',
    ({ value }) => value('patient_requests_in_process', { phase: 'delivering' }) === 1,
  );
  expect(waiting.value('patient_oldest_delivery_seconds')).toBe(0);
  target.release();
  await batch.result();

  const host = new URL(target.url('/')).host;
  const values: [MetricName | `${MetricName}_count`, Record<string, string>, number][] = [
    ['patient_orphans_total', {}, 3],
    ['patient_recovery_seconds_count', { end: 'requeued' }, 3],
    ['patient_requests_total', { host, outcome: '2xx' }, 9],
    ['patient_requests_total', { host, outcome: '4xx' }, 2],
    ['patient_requests_total', { host, outcome: 'error' }, 1],
    ['patient_errors_total', { host, type: 'OutcomeUnknownError' }, 1],
    ['patient_errors_total', { host: `127.0.0.1:${closed}`, type: 'ConnectionError' }, 1],
    ['patient_errors_total', { host, type: 'HttpStatusError' }, 1],
    ['patient_errors_total', {}, 3],
    ['patient_retries_total', { host, reason: '5xx' }, 1],
    ['patient_request_duration_seconds_count', { host, status_class: '5xx' }, 1],
    ['patient_request_duration_seconds_count', { host, status_class: '2xx' }, 9],
    ['patient_queue_wait_seconds_count', {}, 13],
    ['patient_flow_wait_seconds_count', { key: 'slow' }, 2],
    ['patient_registrations_total', { answer: 'run' }, 13],
    ['patient_temporal_calls_total', { call: 'complete', answer: 'accepted' }, 9],
    // Three errors and a retry.
    ['patient_temporal_calls_total', { call: 'fail', answer: 'accepted' }, 3 + 4],
    ['patient_delivery_seconds_count', {}, 12],
    // What may not be sent again, its response and the unknown outcome; and two items.
    ['patient_outcomes_kept_total', {}, 2 + 2],
    ['patient_oldest_delivery_seconds', {}, 0],
  ];
  // Each is counted when it happens, the delivery after the end.
  const after = await until('all counted', (scraped) =>
    values.every(([name, labels, value]) => scraped.value(name, labels) === value),
  );
  expect(after.value('patient_received_bytes_total', { host })).toBeGreaterThanOrEqual(8);
  expect(after.value('patient_flow_wait_seconds_sum', { key: 'slow' })).toBeGreaterThan(0.1);
  expect(after.text).toContain(`task_queue="${taskQueue}"`);
  // From one endpoint, with Temporal's own.
  expect(after.names).toContain('temporal_activity_schedule_to_start_latency_count');
  // The table has them all, and bounds of seconds.
  for (const name of [...after.names].filter((each) => each.startsWith('patient_'))) {
    expect(Object.keys(METRICS)).toContain(name.replace(/_(bucket|sum|count)$/, ''));
  }
  expect(after.value('patient_request_duration_seconds_bucket', { le: '1800' })).toBeDefined();

  const ended = await waitFor(() => {
    const lines = endedRequests(worker.stderr);
    return lines.length === 13 ? lines : undefined;
  });
  const line = {
    requestId: expect.any(String),
    workflowId: expect.any(String),
    ...{ method: 'GET', host, path: '/status/404', status: 404, phase: 'sent', attempt: 1 },
    durationMs: expect.any(Number),
  };
  expect(ended).toContainEqual(line);
  expect(ended).toContainEqual({ ...line, path: '/flaky/metrics/1', status: 200, attempt: 2 });
  const { status: _, ...unanswered } = line;
  const unknown = { method: 'POST', path: '/hold', errorType: 'OutcomeUnknownError' };
  expect(ended).toContainEqual({ ...unanswered, ...unknown });
  expect(worker.stderr).not.toContain('body=123');

  await fleet.redis.kill();
  await until('Redis away', ({ value }) => value('patient_redis_up') === 0);
});

function endedRequests(stderr: string): object[] {
  const lines = stderr.split('\n').filter((line) => line.includes('Request ended'));
  return lines.map((line) => {
    const { level, time: _, message: __, ...fields } = JSON.parse(line) as Record<string, unknown>;
    expect(level).toBe('debug');
    return fields;
  });
}

test('hosts and keys beyond the fiftieth share a series', () => {
  const label = new BoundedLabel();
  const values = Array.from({ length: 60 }, (_, index) => label.of(`host-${index}`));
  expect(new Set(values).size).toBe(51);
  expect(values.at(-1)).toBe('(others)');
  expect(label.of('host-0')).toBe('host-0');
});

test.each([
  ['prometheus://[::]:9464', { prometheus: { bindAddress: '[::]:9464' } }],
  ['grpcs://collector:4317', { otel: { url: 'grpcs://collector:4317', http: false } }],
  ['http://collector:4318', { otel: { url: 'http://collector:4318/v1/metrics', http: true } }],
  ['https://collector/otlp', { otel: { url: 'https://collector/otlp', http: true } }],
])('%s is what Temporal has metrics by', (option, exporter) => {
  expect(metricsExporter(option)).toMatchObject(exporter);
});
