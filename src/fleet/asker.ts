import { randomUUID } from 'node:crypto';
import type { RedisConnection } from '../liveness/redis-connection.ts';
import type { RedisKeys } from '../liveness/redis-keys.ts';
import type { Answer, Message, Reply } from './messages.ts';
import { fleetKeysOf, type FleetKeys } from './redis-keys.ts';

/** ms after which a process that has not answered is left out. */
const PATIENCE = 1_000;

/** Asks processes by message and collects what they answer. */
export class Asker {
  readonly #connection: RedisConnection;
  readonly #fleet: FleetKeys;
  readonly #channel: string;
  readonly #open = new Map<number, (answer: Answer) => void>();
  #questions = 0;
  #subscribed: Promise<void> | undefined;

  constructor(connection: RedisConnection, keys: RedisKeys) {
    this.#connection = connection;
    this.#fleet = fleetKeysOf(keys.prefix);
    this.#channel = this.#fleet.answers(randomUUID());
  }

  /** The answers of those that gave one in time, and the names of the others. */
  async ask<T>(
    processes: string[],
    message: (reply: Reply) => Message,
  ): Promise<{ answers: T[]; silent: string[] }> {
    if (processes.length === 0) return { answers: [], silent: [] };
    await this.#subscribe();
    const question = this.#questions++;
    const text = JSON.stringify(message({ channel: this.#channel, question }));
    const answers = new Map<string, T>();
    const waiting = new Set(processes);
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(resolve, PATIENCE);
      const without = (process: string): void => {
        waiting.delete(process);
        if (waiting.size === 0) resolve();
      };
      this.#open.set(question, ({ process, answer }) => {
        answers.set(process, answer as T);
        without(process);
      });
      for (const process of processes) {
        // Who does not listen will not answer.
        this.#tell(process, text).then((heard) => heard || without(process), reject);
      }
    }).finally(() => {
      clearTimeout(timer);
      this.#open.delete(question);
    });
    return {
      answers: [...answers.values()],
      silent: processes.filter((process) => !answers.has(process)),
    };
  }

  /** False when it is not there to hear it. */
  tell(process: string, message: Message): Promise<boolean> {
    return this.#tell(process, JSON.stringify(message));
  }

  async #tell(process: string, text: string): Promise<boolean> {
    return (await this.#connection.redis.publish(this.#fleet.channel(process), text)) > 0;
  }

  #subscribe(): Promise<void> {
    return (this.#subscribed ??= this.#connection
      .subscribe(this.#channel, (text) => {
        const answer = JSON.parse(text) as Answer;
        this.#open.get(answer.question)?.(answer);
      })
      .catch((error: unknown) => {
        this.#subscribed = undefined;
        throw error;
      }));
  }
}
