import { flowKeyOf, type FlowLimits, type ResolvedFlow } from '../shared/flow-limits.ts';
import { KeyQueue } from './key-queue.ts';
import { NOTHING, type Ledger } from './ledger.ts';
import type { FlowAdmin, FlowControl, Later, Permit } from './port.ts';

export interface FlowOptions {
  /** By key or host: the worker's option `flow`. */
  limits: Readonly<Record<string, FlowLimits>>;
  ledger: Ledger;
  /** Requests that wait in this process; more of them do so in Temporal. */
  maxWaiting: number;
  /** ms. Longer waits are Temporal's. @default 1 min */
  maxWait?: number;
}

const MAX_WAIT = 60_000;

/** One queue per key that is in use; a key that nothing limits has none. */
export class Flow implements FlowControl {
  readonly admin: FlowAdmin;
  readonly #options: FlowOptions;
  readonly #limits: ReadonlyMap<string, FlowLimits>;
  readonly #queues = new Map<string, KeyQueue>();

  constructor(options: FlowOptions) {
    this.admin = options.ledger;
    this.#options = options;
    this.#limits = new Map(Object.entries(options.limits));
  }

  async start(): Promise<void> {
    const { ledger } = this.#options;
    await ledger.start({
      woken: (key) => this.#queues.get(key)?.wake(),
      cooled: (key) => this.#queues.get(key)?.cool(),
      reset: () => {
        for (const queue of [...this.#queues.values()]) queue.wake();
      },
    });
    // Operators see, and change, what no request has used yet.
    const nothing = { ...NOTHING, stated: false, held: 0, costs: [] };
    const configured = [...this.#limits];
    await Promise.all(configured.map(([key, limits]) => ledger.ask(key, { ...nothing, limits })));
  }

  acquire(
    host: string,
    flow: ResolvedFlow | undefined,
    signal: AbortSignal,
  ): Promise<Permit | Later> | undefined {
    const key = flowKeyOf(host, flow);
    const configured = this.#limits.get(key);
    const override = this.#options.ledger.overrides.get(key);
    if (!flow && !configured && !override) return undefined;
    const queue = this.#queueOf(key);
    queue.limits = { ...configured, ...flow?.limits };
    const demand = { cost: flow?.cost ?? 1, pointer: flow?.pointer };
    if (this.#isFull(queue)) return Promise.resolve(queue.sendAway(demand));
    return queue.take(demand, signal);
  }

  async stop(): Promise<void> {
    for (const queue of this.#queues.values()) queue.close();
    this.#queues.clear();
    await this.#options.ledger.stop();
  }

  /** No more room, and this key has its share of it: one key's crowd must not send away others. */
  #isFull(queue: KeyQueue): boolean {
    if (queue.waiting === 0) return false;
    let waiting = 0;
    let busy = 0;
    for (const each of this.#queues.values()) {
      waiting += each.waiting;
      if (each.waiting > 0) busy++;
    }
    const { maxWaiting } = this.#options;
    return waiting >= maxWaiting && queue.waiting >= maxWaiting / busy;
  }

  #queueOf(key: string): KeyQueue {
    let queue = this.#queues.get(key);
    if (!queue) {
      const { ledger, maxWait = MAX_WAIT } = this.#options;
      const onIdle = (): void => void this.#queues.delete(key);
      queue = new KeyQueue({ key, ledger, maxWait, onIdle });
      this.#queues.set(key, queue);
    }
    return queue;
  }
}
