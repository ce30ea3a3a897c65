import { CancelledFailure, defaultPayloadConverter } from '@temporalio/common';
import { finalFailure, retryFailure, returnFailure } from '../completion/failure.ts';
import { encodeResults } from '../completion/batch-results.ts';
import { encodeOutcome } from '../completion/outcome.ts';
import { checkFunctions } from '../config/functions.ts';
import { resolveOptions, type PatientOptions, type ResolvedOptions } from '../config/options.ts';
import { createTlsContext } from '../config/tls-context.ts';
import { Flow } from '../flow/flow.ts';
import { MemoryLedger } from '../flow/memory.ts';
import { createTransport, type TransportFunctions } from '../http/transport.ts';
import { HeldOutcomes } from '../liveness/held-outcomes.ts';
import { MemoryLiveness } from '../liveness/memory.ts';
import { Processor } from '../processor/processor.ts';
import type { BatchInput, BatchTask } from '../processor/batch-task.ts';
import type { BatchHandler, Ending, TaskHandler } from '../processor/task-handler.ts';
import type { RequestTask, TaskInput } from '../processor/task.ts';
import type { Transport } from '../processor/transport.ts';
import type { ItemResult } from '../shared/batch.ts';
import { failureDetail } from '../shared/failure.ts';
import type { Log } from '../shared/log.ts';
import { keyString } from '../shared/request-key.ts';
import { responseOf } from '../shared/outcome.ts';
import type { WireResponse } from '../shared/wire.ts';
import { answeringTransport, type Respond } from './answers.ts';

/** The options of a worker. Private addresses are allowed by default: tests run their APIs there. */
export interface InlineOptions extends PatientOptions, TransportFunctions {
  /** Answers in place of the network. @default the requests are really sent */
  respond?: Respond;
}

/** The worker's processor without a worker: whoever submits a try waits for its ending. */
export class InlineProcessor implements AsyncDisposable {
  readonly options: ResolvedOptions;
  readonly liveness = new MemoryLiveness();
  readonly held = new HeldOutcomes();
  readonly #handler = new InlineHandler(this.liveness, this.held);
  readonly #transport: Transport;
  readonly #processor: Processor;
  #started: Promise<void> | undefined;

  /** @throws ConfigError for wrong options */
  constructor({ respond, secrets, preprocessors, ...options }: InlineOptions) {
    const functions = checkFunctions({ secrets, preprocessors });
    this.options = resolveOptions({ allowPrivateAddresses: true, ...options });
    this.#transport = respond
      ? answeringTransport(respond, this.options)
      : createTransport({
          ...{ ...this.options, ...functions },
          secureContext: createTlsContext(this.options.tls),
        });
    const { maxConnections, maxCrashes, maxWaiting, flow } = this.options;
    this.#processor = new Processor({
      ...{ maxConnections, maxCrashes, log },
      transport: this.#transport,
      liveness: this.liveness,
      flow: new Flow({ limits: flow, ledger: new MemoryLedger(), maxWaiting }),
      handler: this.#handler,
    });
  }

  async attempt(input: TaskInput): Promise<Ending> {
    await this.#permit();
    const ending = this.#handler.endingOf(keyString(input.key));
    await this.#processor.submit(input).finally(() => this.#processor.admission.release());
    return ending;
  }

  async attemptBatch(input: BatchInput): Promise<ItemResult[]> {
    await this.#permit();
    const results = this.#handler.resultsOf(keyString(input.key));
    await this.#processor.submitBatch(input).finally(() => this.#processor.admission.release());
    return results;
  }

  async #permit(): Promise<void> {
    await (this.#started ??= this.#processor.start());
    await this.#processor.admission.reserve(new AbortController().signal);
  }

  /** Aborts what is still in flight. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#processor.stop({ shutdownTimeout: 0, drainTimeout: 0 });
    await this.#transport.close({ force: true });
  }
}

/** What the submit activity gives or fails with for this ending. */
export function resultOf(ending: Ending): WireResponse {
  switch (ending.kind) {
    case 'outcome': {
      const { outcome } = ending;
      if (outcome.kind === 'error') throw finalFailure(outcome.error);
      return responseOf(outcome);
    }
    case 'retry': {
      const { error, delay } = ending;
      throw retryFailure(error.type, error.message, delay, error);
    }
    case 'cancelled':
      throw new CancelledFailure(ending.error.message, [failureDetail(ending.error)]);
    case 'return':
      throw returnFailure(ending.delay);
    case 'dropped':
      throw retryFailure('Returned', 'The inline processor was closed', 1);
    default: {
      const never: never = ending;
      return never;
    }
  }
}

/** Gives endings to those who wait in this process. */
class InlineHandler implements TaskHandler, BatchHandler {
  readonly #liveness: MemoryLiveness;
  readonly #held: HeldOutcomes;
  readonly #waitingBatches = new Map<string, (results: ItemResult[]) => void>();
  readonly #waiting = new Map<string, ((ending: Ending) => void)[]>();

  constructor(liveness: MemoryLiveness, held: HeldOutcomes) {
    this.#liveness = liveness;
    this.#held = held;
  }

  /** A later attempt that attaches to a running one waits for the same ending. */
  endingOf(id: string): Promise<Ending> {
    return new Promise((resolve) => {
      this.#waiting.set(id, [...(this.#waiting.get(id) ?? []), resolve]);
    });
  }

  begin(): void {}

  async markSent(): Promise<void> {}

  async record(): Promise<void> {}

  async finishBatch(batch: BatchTask): Promise<void> {
    batch.tryClose(batch.attempt);
    await this.#liveness.release(batch.key, batch.attempt);
    const resolve = this.#waitingBatches.get(batch.id);
    this.#waitingBatches.delete(batch.id);
    resolve?.((await encodeResults({ encode }, this.#held, batch)).results);
  }

  resultsOf(id: string): Promise<ItemResult[]> {
    return new Promise((resolve) => this.#waitingBatches.set(id, resolve));
  }

  async finish(task: RequestTask, ending: Ending): Promise<void> {
    const checked = ending.kind === 'outcome' ? await withinLimits(task, ending) : ending;
    task.tryClose(task.attempt);
    await this.#liveness.release(task.key, task.attempt);
    const waiting = this.#waiting.get(task.id) ?? [];
    this.#waiting.delete(task.id);
    for (const resolve of waiting) resolve(checked);
  }

  end(): void {}
}

async function encode(_: unknown, value: unknown) {
  return [defaultPayloadConverter.toPayload(value)];
}

/** A response that is too large for Temporal is an error here too. */
async function withinLimits(task: RequestTask, ending: Ending & { kind: 'outcome' }) {
  const { outcome } = await encodeOutcome({ encode, encodeLarge: undefined }, task, ending.outcome);
  return { kind: 'outcome' as const, outcome };
}

/** Temporal's logger would load its native part. */
const log: Log = {
  debug() {},
  info() {},
  warn: (message, meta) => console.warn(message, meta),
  error: (message, meta) => console.error(message, meta),
};
