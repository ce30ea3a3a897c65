import type { ObservedError, ProcessorObserver, TaskView } from '../processor/observers.ts';
import type { Processor } from '../processor/processor.ts';
import type { TaskPhase } from '../processor/task.ts';
import { TASK_PHASES } from '../shared/constants.ts';
import { raises } from '../shared/resolved-request.ts';
import type { WireResponse } from '../shared/wire.ts';
import type { BoundedLabel } from './bounded-label.ts';
import type { Instruments } from './instruments.ts';

/** What is sampled instead of told: a processor, and what its worker says of itself. */
export interface MetricsSource {
  readonly processor: Pick<Processor, 'inFlight' | 'taken' | 'tasks' | 'endedItems'>;
  readonly health: { readonly ready: boolean; readonly redisUsable: boolean | undefined };
  readonly maxConnections: number;
}

/** ms between two samples. */
const INTERVAL = 1_000;

/** Counts what a processor tells, and samples what it has. */
export class MetricsObserver implements ProcessorObserver {
  readonly #instruments: Instruments;
  readonly #source: MetricsSource;
  readonly #hosts: BoundedLabel;
  #timer: NodeJS.Timeout | undefined;

  constructor(instruments: Instruments, source: MetricsSource, hosts: BoundedLabel) {
    this.#instruments = instruments;
    this.#source = source;
    this.#hosts = hosts;
  }

  start(): void {
    this.#timer = setInterval(() => this.#sample(), INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#sample();
  }

  capacityReached(): void {
    this.#instruments.add('patient_capacity_reached_total', {});
  }

  requestStart({ acceptedAt }: TaskView): void {
    this.#instruments.record('patient_queue_wait_seconds', {}, Date.now() - acceptedAt);
  }

  requestResponse(task: TaskView, { status }: WireResponse, retryIn?: number): void {
    const host = this.#hosts.of(task.host);
    const status_class = `${Math.floor(status / 100)}xx`;
    const labels = { host, status_class };
    this.#instruments.record('patient_request_duration_seconds', labels, task.elapsed);
    if (retryIn !== undefined) {
      return this.#instruments.add('patient_retries_total', { host, reason: status_class });
    }
    this.#instruments.add('patient_requests_total', { host, outcome: status_class });
    if (raises(task.request, status)) {
      this.#instruments.add('patient_errors_total', { host, type: 'HttpStatusError' });
    }
  }

  requestError(task: TaskView, { type }: ObservedError, retryIn?: number): void {
    const host = this.#hosts.of(task.host);
    if (retryIn !== undefined) {
      return this.#instruments.add('patient_retries_total', { host, reason: type });
    }
    this.#instruments.add('patient_requests_total', { host, outcome: 'error' });
    this.#instruments.add('patient_errors_total', { host, type });
  }

  /** The request is counted already, by the class of this response. */
  responseReplaced(task: TaskView, { type }: ObservedError): void {
    this.#instruments.add('patient_errors_total', { host: this.#hosts.of(task.host), type });
  }

  requestEnd({ host, bytes }: TaskView): void {
    if (bytes === 0) return;
    this.#instruments.add('patient_received_bytes_total', { host: this.#hosts.of(host) }, bytes);
  }

  #sample(): void {
    const { processor, health, maxConnections } = this.#source;
    const { ready, redisUsable } = health;
    const now = Date.now();
    const { count, deliveringFor } = processor.endedItems;
    const phases = new Map<TaskPhase, number>([['delivering', count]]);
    let oldest = deliveringFor;
    for (const task of processor.tasks) {
      phases.set(task.phase, (phases.get(task.phase) ?? 0) + 1);
      oldest = Math.max(oldest, now - (task.outcomeSince ?? now));
    }
    const instruments = this.#instruments;
    instruments.set('patient_ready', {}, Number(ready));
    if (redisUsable !== undefined) instruments.set('patient_redis_up', {}, Number(redisUsable));
    instruments.set('patient_max_connections', {}, maxConnections);
    instruments.set('patient_requests_in_flight', {}, processor.inFlight);
    instruments.set('patient_places_taken', {}, processor.taken);
    for (const phase of TASK_PHASES) {
      instruments.set('patient_requests_in_process', { phase }, phases.get(phase) ?? 0);
    }
    instruments.set('patient_oldest_delivery_seconds', {}, oldest / 1000);
    instruments.flush();
  }
}
