import { randomUUID } from 'node:crypto';
import { WorkflowNotFoundError } from '@temporalio/common';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { ProcessorObserver } from '../processor/observers.ts';
import { MAX_CALLS, slowPath, type Round } from './round.ts';
import { firedAt, PLAYGROUND_QUEUE, type Calls } from './shared.ts';
import { Side, type SideFigures } from './side.ts';

/** Calls a workflow makes: its history stays short, and several go on at once. */
const CALLS_PER_WORKFLOW = 100;

export interface RoundsOptions {
  client: Pick<Client, 'workflow'>;
  /** Of the Patient HTTP workers. */
  taskQueue: string;
  /** Of the target. */
  target: string;
}

/** Too much at once: the message says so. */
export class BusyError extends Error {
  override readonly name = 'BusyError';
}

type Starting = Promise<WorkflowHandle>;

type Way = 'patient' | 'plain';

const WORKFLOWS = { patient: 'throughPatient', plain: 'throughPlainActivity' } as const;

/** Fires calls both ways and counts what becomes of them. */
export class Rounds {
  readonly #options: RoundsOptions;
  readonly #sides = { patient: new Side(), plain: new Side() };
  /** Those that are being started among them. */
  readonly #running = { patient: new Set<Starting>(), plain: new Set<Starting>() };

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  get sides(): Readonly<Record<Way, Side>> {
    return this.#sides;
  }

  get figures(): Record<Way, SideFigures> {
    const { patient, plain } = this.#sides;
    return { patient: patient.figures, plain: plain.figures };
  }

  get isRunning(): boolean {
    return Object.values(this.#running).some(({ size }) => size > 0);
  }

  /** Resolves when all is started. @throws BusyError */
  async fire(round: Round): Promise<void> {
    for (const way of ['patient', 'plain'] as const) {
      const { underWay } = this.#sides[way];
      if (underWay + round[way] <= MAX_CALLS) continue;
      throw new BusyError(`${underWay} calls are under way; at most ${MAX_CALLS} may be, each way`);
    }
    const since = Date.now();
    const url = this.#options.target + slowPath(round);
    await Promise.all([
      ...this.#start('patient', { url, since, count: round.patient }),
      ...this.#start('plain', { url, since, count: round.plain }),
    ]);
  }

  /** Cancels all that is under way. */
  async stop(): Promise<void> {
    const { patient, plain } = this.#running;
    await Promise.all([...patient, ...plain].map(cancel));
  }

  #start(way: Way, { url, since, count }: Calls): Promise<void>[] {
    this.#sides[way].fire(count);
    return Array.from({ length: Math.ceil(count / CALLS_PER_WORKFLOW) }, (_, index) => {
      const rest = count - index * CALLS_PER_WORKFLOW;
      return this.#run(way, { url, since, count: Math.min(rest, CALLS_PER_WORKFLOW) });
    });
  }

  /** Resolves when it has begun. */
  async #run(way: Way, calls: Calls): Promise<void> {
    const running = this.#running[way];
    const starting = this.#options.client.workflow.start(WORKFLOWS[way], {
      taskQueue: PLAYGROUND_QUEUE,
      workflowId: `playground-${way}-${randomUUID()}`,
      args: [calls, this.#options.taskQueue],
    });
    running.add(starting);
    const ended = (): void => {
      running.delete(starting);
      if (running.size === 0) this.#sides[way].abandoned();
    };
    void starting.then((handle) => handle.result()).then(ended, ended);
    await starting;
  }
}

async function cancel(starting: Starting): Promise<void> {
  const handle = await starting.catch(() => undefined);
  try {
    await handle?.cancel();
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
}

/** Counts the calls of one side where they are really made. */
export function observerOf(side: Side): ProcessorObserver {
  return {
    requestStart({ request }) {
      if (firedAt(request.requestId) !== undefined) side.started();
    },
    requestEnd({ request }) {
      if (firedAt(request.requestId) !== undefined) side.left();
    },
    requestResponse({ request }, { status }, retryIn) {
      const since = firedAt(request.requestId);
      if (since === undefined || retryIn !== undefined) return;
      if (status < 300) side.answered(since);
      else side.failed();
    },
    requestError({ request }, { type }, retryIn) {
      if (retryIn !== undefined || firedAt(request.requestId) === undefined) return;
      if (type === 'CancelledError') side.stopped();
      else side.failed();
    },
  };
}
