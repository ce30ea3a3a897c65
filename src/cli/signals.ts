import { once } from 'node:events';
import type { Log } from '../shared/log.ts';
import type { PatientWorker } from '../worker.ts';

export const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Resolves with the first signal to end. */
export async function signalled(): Promise<void> {
  await Promise.race(SIGNALS.map((signal) => once(process, signal)));
}

/** Ctrl-C under npm comes twice: from the terminal, and passed on by npm. */
const ECHO = 150;

/**
 * First signal: drain. Second: say what would be lost now. Third: exit at once.
 * Returns how to stop listening.
 */
export function drainOnSignals(worker: PatientWorker, log: Log): () => void {
  let count = 0;
  let last = -Infinity;
  const onSignal = (signal: NodeJS.Signals): void => {
    const now = performance.now();
    if (now - last < ECHO) return;
    last = now;
    count++;
    if (count === 1) {
      const { total } = worker.processor;
      log.info(`${signal}: draining, ${amount(total, 'request')} in this process`, { total });
      // Its failure is that of run().
      worker.shutdown().catch(() => undefined);
    } else if (count === 2) {
      log.warn(`${signal} again: ${lossNow(worker)}; once more to exit at once`);
    } else {
      log.error(`${signal} for the third time: exiting, ${lossNow(worker)}`);
      process.exit(1);
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return () => {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}

/** What an exit right now would cost; all other requests are simply sent again elsewhere. */
function lossNow({ processor }: PatientWorker): string {
  const { summary, unkept } = processor;
  return (
    `an exit now loses ${amount(summary.drain.onWire, 'request')} in flight that may not be sent ` +
    `again and ${amount(unkept, 'outcome')} not delivered`
  );
}

function amount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
