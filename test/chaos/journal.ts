import { waitFor } from '../support/wait-for.ts';

export type Part = 'worker' | 'redis' | 'temporal';

/** A fault from its first effect to the moment its part works again; epoch ms. */
export interface Episode {
  part: Part;
  kind: string;
  from: number;
  to: number;
}

/** What happened in a run, in order: for the checks, and for whoever looks for a cause. */
export class Journal {
  readonly lines: string[] = [];
  readonly violations: string[] = [];
  readonly episodes: Episode[] = [];
  /** Outages of Redis and Temporal so far. */
  outages = 0;
  readonly #started = Date.now();
  #underWay = 0;
  readonly #turns = { redis: Promise.resolve(), temporal: Promise.resolve() };

  note(text: string): void {
    const now = Date.now();
    const time = new Date(now).toISOString().slice(11, 23);
    this.lines.push(`${time} +${((now - this.#started) / 1000).toFixed(2)} ${text}`);
  }

  violation(text: string): void {
    this.violations.push(text);
    this.note(`VIOLATION ${text}`);
  }

  /** Runs a fault and keeps its time; those of Redis, and of Temporal, one after another. */
  async episode(part: Part, kind: string, run: () => Promise<void>): Promise<void> {
    if (part === 'worker') return this.#run(part, kind, run);
    const turn = this.#turns[part].then(async () => {
      this.outages++;
      this.#underWay++;
      await this.#run(part, kind, run);
      this.#underWay--;
    });
    this.#turns[part] = turn;
    await turn;
  }

  async #run(part: Part, kind: string, run: () => Promise<void>): Promise<void> {
    const episode: Episode = { part, kind, from: Date.now(), to: Infinity };
    this.episodes.push(episode);
    this.note(`${kind} …`);
    await run();
    episode.to = Date.now();
    this.note(`… ${kind}: over`);
  }

  /** Resolves while Redis and Temporal are both there. */
  async noOutage(): Promise<void> {
    await waitFor(() => this.#underWay === 0, { timeout: 60_000, message: 'the end of an outage' });
  }
}
