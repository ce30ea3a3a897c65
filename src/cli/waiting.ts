import { setTimeout as delay } from 'node:timers/promises';
import { grpcCode } from '../telemetry/loggable.ts';
import { EXIT } from './exit-codes.ts';
import { CliError, describeFailure } from './failure.ts';
import { say } from './output.ts';
import { SIGNALS } from './signals.ts';

/** A signal came; what was started goes on. */
export class Interrupted extends CliError {
  override readonly name = 'Interrupted';
  override readonly exitCode = EXIT.interrupted;
}

export interface InterruptOptions {
  /** What is left behind, and how to come back to it. */
  message: () => string;
  /** Instead of leaving it at the first signal; the second one leaves. */
  cancel?: (() => Promise<void>) | undefined;
}

/**
 * Waits for `work`, until a signal ends the waiting and nothing else.
 * @throws Interrupted
 */
export async function untilInterrupted<T>(
  work: Promise<T>,
  { message, cancel }: InterruptOptions,
): Promise<T> {
  // After an interruption nobody waits for it any more.
  work.catch(() => undefined);
  const interrupted = withResolvers<never>();
  let cancelling = false;
  const onSignal = (): void => {
    if (!cancel || cancelling) return interrupted.reject(new Interrupted(message()));
    cancelling = true;
    say('cancelling; Ctrl-C again leaves it at that');
    cancel().catch((error: unknown) => interrupted.reject(error));
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  try {
    return await Promise.race([work, interrupted.promise]);
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
  }
}

const TRANSIENT = ['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'ABORTED'];
/** ms between two questions to a Temporal that does not answer. */
const PAUSE = 1_000;

/** Asks until Temporal answers: what is waited for goes on without us. */
export async function insist<T>(ask: () => Promise<T>): Promise<T> {
  for (let told = false; ; told = true) {
    try {
      return await ask();
    } catch (error) {
      const reason = (error as { cause?: unknown }).cause ?? error;
      if (!TRANSIENT.includes(grpcCode(reason) ?? '')) throw error;
      if (!told) say(`Temporal does not answer (${describeFailure(error)}); still waiting`);
      await delay(PAUSE);
    }
  }
}

/** Promise.withResolvers of newer Node. */
function withResolvers<T>(): { promise: Promise<T>; reject: (error: unknown) => void } {
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((_, no) => (reject = no));
  promise.catch(() => undefined);
  return { promise, reject };
}
