/** A metric as the meter makes it, and as `docs/observability.md` lists it. */
export interface MetricSpec {
  kind: 'counter' | 'gauge' | 'histogram';
  labels: readonly string[];
  help: string;
  /** Upper bounds of a histogram, in seconds. */
  buckets?: readonly number[];
}

/** From a cached answer to a slow model's. */
const REQUESTS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];
/** From a call to Temporal to an outage of it. */
const WAITS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800];

/**
 * Every metric of ours: its name, its labels and its meaning, here and nowhere else. The labels
 * `namespace` and `task_queue` are on all of them.
 */
export const METRICS = {
  patient_ready: gauge([], '1 while the process takes requests, as `/readyz` says.'),
  patient_redis_up: gauge([], '1 while Redis can be used; absent without Redis.'),
  patient_max_connections: gauge([], 'Requests that may be in flight at once.'),
  patient_requests_in_flight: gauge([], 'Requests on the wire.'),
  patient_places_taken: gauge(
    [],
    'Places taken, of `patient_max_connections`: a single request keeps its own until Temporal has ' +
      'its outcome.',
  ),
  patient_requests_in_process: gauge(
    ['phase'],
    'Requests by how far they have come: `queued`, `connect`, `sent`, or `delivering` to Temporal; so is ' +
      'an item that has ended while others of its chunk have not.',
  ),
  patient_oldest_delivery_seconds: gauge(
    [],
    'How long the oldest outcome in hand, or results of a chunk, have waited for Temporal.',
  ),
  patient_requests_total: counter(
    ['host', 'outcome'],
    'Requests that ended: with a response, by its class (`2xx`), or with an `error`.',
  ),
  patient_errors_total: counter(
    ['host', 'type'],
    'Requests that ended with an error; also where it took the place of a response: of a status that is ' +
      'raised, or of one that could not be delivered.',
  ),
  patient_retries_total: counter(
    ['host', 'reason'],
    'Tries that are followed by another, by class of response or type of error.',
  ),
  patient_request_duration_seconds: histogram(
    ['host', 'status_class'],
    'One try that got a response: connect, send, all hops, full body.',
    REQUESTS,
  ),
  patient_received_bytes_total: counter(['host'], 'Bytes of response bodies, as they came.'),
  patient_queue_wait_seconds: histogram(
    [],
    'Wait in the process, for a flow key and a place; the wait in Temporal is ' +
      '`temporal_activity_schedule_to_start_latency`.',
    WAITS,
  ),
  patient_flow_wait_seconds: histogram(['key'], 'Wait for a flow key alone.', WAITS),
  patient_capacity_reached_total: counter([], 'Times that a request or a poller had to wait.'),
  patient_temporal_calls_total: counter(
    ['call', 'answer'],
    'Calls by task token: `complete`, `fail`, `cancel`, `heartbeat`; `not_found` is one whose ' +
      'attempt was over, `error` one that is made again.',
  ),
  patient_delivery_seconds: histogram(
    [],
    'From an outcome in hand, or the results of a chunk, to the moment Temporal has it.',
    WAITS,
  ),
  patient_registrations_total: counter(
    ['answer'],
    'Attempts taken: `run`, `attached` to a request that goes on, `kept` (it has ended already), ' +
      '`stale`.',
  ),
  patient_outcomes_kept_total: counter([], 'Outcomes stored until Temporal has them.'),
  patient_orphans_total: counter([], 'Requests found without their process.'),
  patient_recovery_seconds: histogram(
    ['end'],
    'From finding such a request to its end here: `requeued` for its next attempt, or `delivered`.',
    WAITS,
  ),
} as const satisfies Record<`patient_${string}`, MetricSpec>;

export type MetricName = keyof typeof METRICS;

type NamesOf<K extends MetricSpec['kind']> = {
  [N in MetricName]: (typeof METRICS)[N]['kind'] extends K ? N : never;
}[MetricName];
export type CounterName = NamesOf<'counter'>;
export type GaugeName = NamesOf<'gauge'>;
export type HistogramName = NamesOf<'histogram'>;

/** A value for each label of a metric. */
export type LabelsOf<N extends MetricName> = Record<(typeof METRICS)[N]['labels'][number], string>;

/**
 * Bounds for `histogramBucketOverrides` of your own `Runtime.install({ telemetryOptions: { metrics:
 * { prometheus: { histogramBucketOverrides: metricBuckets() } } } })`, or of `otel`. Without them
 * Temporal's default bounds end at 10 seconds. `patient worker` has them.
 */
export function metricBuckets(): Record<string, number[]> {
  const specs: [string, MetricSpec][] = Object.entries(METRICS);
  return Object.fromEntries(
    specs.flatMap(([name, { buckets }]) => (buckets ? [[name, [...buckets]]] : [])),
  );
}

function counter<const L extends readonly string[]>(labels: L, help: string) {
  return { kind: 'counter', labels, help } as const;
}

function gauge<const L extends readonly string[]>(labels: L, help: string) {
  return { kind: 'gauge', labels, help } as const;
}

function histogram<const L extends readonly string[]>(
  labels: L,
  help: string,
  buckets: readonly number[],
) {
  return { kind: 'histogram', labels, help, buckets } as const;
}
