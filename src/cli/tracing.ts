import { CliError } from './failure.ts';

/**
 * Spans go to what is registered, or by OpenTelemetry's SDK to where its `OTEL_*` variables say.
 * @throws CliError that says what to install
 */
export async function openTracing(): Promise<AsyncDisposable> {
  try {
    const { startSdk } = await import('../telemetry/otel-sdk.ts');
    const sdk = await startSdk();
    return { [Symbol.asyncDispose]: async () => sdk?.shutdown() };
  } catch (cause) {
    throw new CliError(
      'PATIENT_TRACING: install @opentelemetry/api and @opentelemetry/sdk-node, or register a ' +
        'tracer provider with NODE_OPTIONS=--import',
      { cause },
    );
  }
}
