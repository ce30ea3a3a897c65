import { DefaultLogger, NativeConnection, Runtime } from '@temporalio/worker';
import { freePort } from './free-port.ts';

export interface TemporalPeerOptions {
  address: string;
  taskQueue: string;
}

let metrics: string | undefined;

/** A connection whose calls are counted: by Temporal's own metrics, the same for every peer. */
export async function connect(address: string): Promise<NativeConnection> {
  const bindAddress = `127.0.0.1:${await freePort()}`;
  metrics = `http://${bindAddress}/metrics`;
  Runtime.install({
    logger: new DefaultLogger('WARN'),
    shutdownSignals: [],
    telemetryOptions: { metrics: { prometheus: { bindAddress } } },
  });
  return NativeConnection.connect({ address });
}

/** Calls to Temporal so far by name, polls that found nothing among them. */
export async function rpcs(): Promise<Record<string, number>> {
  const text = metrics ? await (await fetch(metrics)).text() : '';
  const counts: Record<string, number> = {};
  for (const line of text.split('\n')) {
    const [, labels = '', value] =
      /^temporal_(?:long_)?request(?:_total)?\{(.*)\} (\S+)$/.exec(line) ?? [];
    const operation = /operation="(\w+)"/.exec(labels)?.[1];
    if (operation) counts[operation] = (counts[operation] ?? 0) + Number(value);
  }
  return counts;
}
