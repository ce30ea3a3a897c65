import { noopMetricMeter, type MetricMeter } from '@temporalio/common';
import type { OnCall } from '../completion/activity-rpc.ts';
import type { OnDelivered } from '../completion/delivery.ts';
import type { FlowControl } from '../flow/port.ts';
import type { Liveness, ReleaseOrphan } from '../liveness/port.ts';
import { BoundedLabel } from './bounded-label.ts';
import { Instruments } from './instruments.ts';
import { MeteredLiveness, meteredFlow, meteredRelease } from './metered.ts';
import { MetricsObserver, type MetricsSource } from './metrics-observer.ts';

/** The parts of a worker, with metrics. */
export interface WorkerMetrics {
  onCall?: OnCall;
  onDelivered?: OnDelivered;
  release(release: ReleaseOrphan): ReleaseOrphan;
  liveness(liveness: Liveness): Liveness;
  flow(flow: FlowControl): FlowControl;
  observers(source: MetricsSource): MetricsObserver[];
}

/** Leaves all parts as they are, for the Runtime has no metrics. */
const NONE: WorkerMetrics = {
  release: (release) => release,
  liveness: (liveness) => liveness,
  flow: (flow) => flow,
  observers: () => [],
};

/** `meter` is the Runtime's: metrics come from where Temporal's own do, or from nowhere. */
export function workerMetrics(
  meter: MetricMeter,
  labels: { namespace: string; task_queue: string },
): WorkerMetrics {
  if (meter === noopMetricMeter) return NONE;
  const instruments = new Instruments(meter.withTags(labels));
  return {
    onCall(call, answer) {
      const labels = { call, answer: answer === 'not-found' ? 'not_found' : answer };
      instruments.add('patient_temporal_calls_total', labels);
    },
    onDelivered: (ms) => instruments.record('patient_delivery_seconds', {}, ms),
    release: (release) => meteredRelease(release, instruments),
    liveness: (liveness) => new MeteredLiveness(liveness, instruments),
    flow: (flow) => meteredFlow(flow, instruments),
    observers: (source) => [new MetricsObserver(instruments, source, new BoundedLabel())],
  };
}
