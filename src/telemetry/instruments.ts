import type { MetricMeter } from '@temporalio/common';
import {
  METRICS,
  type CounterName,
  type GaugeName,
  type HistogramName,
  type LabelsOf,
  type MetricSpec,
} from './metrics.ts';

type Labels = Record<string, string>;
type Counter = ReturnType<MetricMeter['createCounter']>;
type Gauge = ReturnType<MetricMeter['createGauge']>;
type Histogram = ReturnType<MetricMeter['createHistogram']>;

/**
 * The metrics of the table, made with a meter. Each call to the meter crosses into native code, so
 * counts are summed here until `flush`.
 */
export class Instruments {
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();
  readonly #sums = new Map<string, { counter: Counter; labels: Labels; sum: number }>();

  constructor(meter: MetricMeter) {
    for (const [name, { kind, help }] of Object.entries(METRICS) as [string, MetricSpec][]) {
      // No unit: it is in the name, and an exporter might add it once more.
      if (kind === 'counter') this.#counters.set(name, meter.createCounter(name, '', help));
      else if (kind === 'gauge') this.#gauges.set(name, meter.createGauge(name, 'float', '', help));
      else this.#histograms.set(name, meter.createHistogram(name, 'float', '', help));
    }
  }

  add<N extends CounterName>(name: N, labels: LabelsOf<N>, value = 1): void {
    const id = JSON.stringify([name, ...Object.values(labels)]);
    const known = this.#sums.get(id);
    if (known) known.sum += value;
    else this.#sums.set(id, { counter: this.#counters.get(name)!, labels, sum: value });
  }

  set<N extends GaugeName>(name: N, labels: LabelsOf<N>, value: number): void {
    this.#gauges.get(name)!.set(value, labels);
  }

  /** `ms`: metrics are in seconds, the rest of the code is not. */
  record<N extends HistogramName>(name: N, labels: LabelsOf<N>, ms: number): void {
    this.#histograms.get(name)!.record(Math.max(0, ms) / 1000, labels);
  }

  flush(): void {
    for (const { counter, labels, sum } of this.#sums.values()) counter.add(sum, labels);
    this.#sums.clear();
  }
}
