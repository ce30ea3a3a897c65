import { activityInfo } from '@temporalio/activity';

/** Which callback workflows have arrived, and with what. Lives in the worker's process. */
export class CallbackLog {
  /** By call: outcome by the callback workflow's id. A workflow that runs again adds nothing. */
  readonly #arrived = new Map<number, Map<string, string>>();
  #notify: () => void = () => undefined;

  /** The local activity that callback workflows call. */
  recordCallback = async (call: number, outcome: string): Promise<void> => {
    const { workflowId = '' } = activityInfo().workflowExecution ?? {};
    const ofCall = this.#arrived.get(call) ?? new Map<string, string>();
    this.#arrived.set(call, ofCall.set(workflowId, outcome));
    this.#notify();
  };

  /** Waits until each of the calls has a callback, or for `ms`. */
  async waitFor(calls: number[], ms: number): Promise<void> {
    const missing = (): boolean => calls.some((call) => !this.#arrived.has(call));
    if (!missing()) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#notify = () => {
        if (missing()) return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Exactly one callback, and with this outcome. */
  isRight(call: number, outcome: string): boolean {
    const outcomes = [...(this.#arrived.get(call)?.values() ?? [])];
    return outcomes.length === 1 && outcomes[0] === outcome;
  }

  get size(): number {
    return [...this.#arrived.values()].reduce((sum, ofCall) => sum + ofCall.size, 0);
  }
}
