import type { MetricsExporterConfig } from '@temporalio/worker';
import { metricBuckets } from './metrics.ts';

/** Where OTLP over HTTP has metrics, unless the URL says otherwise. */
const OTLP_PATH = '/v1/metrics';

/** What the option `metrics` means to Temporal's Runtime. */
export function metricsExporter(option: string): MetricsExporterConfig {
  const url = new URL(option);
  const histogramBucketOverrides = metricBuckets();
  if (url.protocol === 'prometheus:') {
    return { prometheus: { bindAddress: url.host, histogramBucketOverrides } };
  }
  const http = url.protocol.startsWith('http');
  if (http && url.pathname === '/') url.pathname = OTLP_PATH;
  return { otel: { url: url.href, http, histogramBucketOverrides } };
}
