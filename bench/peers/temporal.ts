import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';

export interface TemporalPeerOptions {
  address: string;
  taskQueue: string;
}

/** The bench's own. */
export const WORKFLOWS = fileURLToPath(new URL('../workflows/', import.meta.url));

/** The same for every peer. The SDK's own metrics are off: counting costs, and the server counts. */
export async function connect(address: string): Promise<NativeConnection> {
  Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
  return NativeConnection.connect({ address });
}
