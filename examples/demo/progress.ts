import type { ObservedError, ProcessorObserver, TaskView, WireResponse } from '../../src/index.ts';

const REDRAW = 200;
/** On a pipe, where lines stay. */
const LINE = 3_000;

/** Watches the processor as an observer, and shows what it sees. */
export class Progress implements ProcessorObserver {
  #total = 0;
  #inFlight = 0;
  #done = 0;
  #failed = 0;
  #tries = 0;
  #stop: () => void = () => undefined;
  #started = 0;
  peak = 0;
  #setReady: () => void = () => undefined;
  /** The processor takes requests. */
  readonly ready = new Promise<void>((resolve) => (this.#setReady = resolve));

  start(): void {
    this.#setReady();
  }

  requestStart(): void {
    this.#tries++;
    this.peak = Math.max(this.peak, ++this.#inFlight);
  }

  requestEnd(): void {
    this.#inFlight--;
  }

  requestResponse(task: TaskView, { status }: WireResponse, retryIn?: number): void {
    const isError = task.request.raiseErrorResponses && (status < 200 || status > 299);
    this.#ended(isError, retryIn);
  }

  requestError(_task: TaskView, _error: ObservedError, retryIn?: number): void {
    this.#ended(true, retryIn);
  }

  #ended(failed: boolean, retryIn: number | undefined): void {
    if (retryIn !== undefined) return;
    this.#done++;
    if (failed) this.#failed++;
  }

  begin(total: number): void {
    this.#total = total;
    this.#started = performance.now();
    this.#stop = show(() => this.#line());
  }

  end(): void {
    this.#stop();
  }

  #line(): string {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(0);
    return (
      `${this.#done}/${this.#total} calls done, ${this.#inFlight} in flight, ` +
      `${this.#failed} failed, ${this.#tries} tries, ${seconds} s`
    );
  }
}

/** Shows the line again and again; the function given ends it with a last one. */
export function show(line: () => string): () => void {
  const { isTTY } = process.stdout;
  const write = (): void => {
    process.stdout.write(isTTY ? `\r\x1b[K${line()}` : `${line()}\n`);
  };
  const timer = setInterval(write, isTTY ? REDRAW : LINE);
  return () => {
    clearInterval(timer);
    write();
    if (isTTY) process.stdout.write('\n');
  };
}
