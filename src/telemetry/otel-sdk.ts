import { ProxyTracerProvider, trace } from '@opentelemetry/api';

/** Not a literal: it is looked for when it is wanted, and its types are not needed. */
const SDK: string = '@opentelemetry/sdk-node';

interface NodeSdk {
  start(): void;
  /** Sends what is left. */
  shutdown(): Promise<void>;
}

/**
 * OpenTelemetry's SDK, set up by its own `OTEL_*` variables; undefined where something, such as a
 * module of `node --import`, has registered a tracer provider before.
 * @throws Error when the SDK is not installed
 */
export async function startSdk(): Promise<NodeSdk | undefined> {
  if (isRegistered()) return undefined;
  const { NodeSDK } = (await import(SDK)) as { NodeSDK: new () => NodeSdk };
  process.env['OTEL_SERVICE_NAME'] ??= 'patient-http';
  const sdk = new NodeSDK();
  sdk.start();
  return sdk;
}

function isRegistered(): boolean {
  const provider = trace.getTracerProvider();
  if (!(provider instanceof ProxyTracerProvider)) return true;
  return provider.getDelegate().constructor !== new ProxyTracerProvider().getDelegate().constructor;
}
