import { ProxyTracerProvider, trace } from '@opentelemetry/api';
import type { NodeSDK } from '@opentelemetry/sdk-node';

/**
 * OpenTelemetry's SDK, set up by its own `OTEL_*` variables; undefined where something, such as a
 * module of `node --import`, has registered a tracer provider before.
 * @throws Error when the SDK is not installed
 */
export async function startSdk(): Promise<NodeSDK | undefined> {
  if (isRegistered()) return undefined;
  const { NodeSDK: Sdk } = await import('@opentelemetry/sdk-node');
  process.env['OTEL_SERVICE_NAME'] ??= 'patient-http';
  const sdk = new Sdk();
  sdk.start();
  return sdk;
}

function isRegistered(): boolean {
  const provider = trace.getTracerProvider();
  if (!(provider instanceof ProxyTracerProvider)) return true;
  return provider.getDelegate().constructor !== new ProxyTracerProvider().getDelegate().constructor;
}
