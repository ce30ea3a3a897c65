import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { grpcCode } from '../telemetry/loggable.ts';
import { CliError, describeFailure } from './failure.ts';

export interface TemporalSettings {
  connectionOptions: NativeConnectionOptions;
  namespace?: string;
}

export const DEFAULT_ADDRESS = 'localhost:7233';

/**
 * The way to Temporal by the `TEMPORAL_*` variables and the profile they name.
 * @throws CliError
 */
export function temporalSettings(): TemporalSettings {
  try {
    return loadClientConnectConfig();
  } catch (error) {
    throw new CliError(`Temporal settings: ${describeFailure(error)}`);
  }
}

export function noTemporal(address: string, error: unknown): CliError {
  const reason = transportReason(error);
  return new CliError(`no Temporal at ${address} (TEMPORAL_ADDRESS): ${reason}`);
}

export function namespaceReason(error: unknown, address: string, namespace: string): string {
  const code = grpcCode(error);
  if (code === 'NOT_FOUND') {
    return `Temporal at ${address} has no namespace ${JSON.stringify(namespace)} (TEMPORAL_NAMESPACE)`;
  }
  const reason = (error as { details?: string }).details || describeFailure(error);
  return `Temporal at ${address}, namespace ${namespace}: ${reason}${code ? ` [${code}]` : ''}`;
}

/** The innermost message of what a client has wrapped into its own: the native one, or grpc-js. */
function transportReason(error: unknown): string {
  const text = describeFailure(error);
  const native = [...text.matchAll(/(?:message|error): "([^"]+)"/g)].at(-1)?.[1];
  return native ?? /Last error: (?:Error: )?(.*?)\. Resolution note/.exec(text)?.[1] ?? text;
}
