import type { RedisAccess } from '../liveness/redis.ts';
import type { Attendant } from '../processor/processor.ts';
import type { Log } from '../shared/log.ts';
import type { Answer, Message, Reply } from './messages.ts';
import { fleetKeysOf } from './redis-keys.ts';
import type { LocalFleet } from './local.ts';
import { SCRIPTS } from './scripts.generated.ts';
import type { StatisticsRecorder } from './statistics-recorder.ts';

export interface FleetMemberOptions {
  /** The liveness' connection and name; asked for at the start. */
  access: () => RedisAccess;
  /** What this process says of itself; its id is the owner's. */
  part: LocalFleet;
  recorder: StatisticsRecorder;
  log: Log;
}

/** The part of a process in its fleet: answers who asks, obeys who steers, stores what it counts. */
export class FleetMember implements Attendant {
  readonly #options: FleetMemberOptions;

  constructor(options: FleetMemberOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { access, log } = this.#options;
    const { connection, keys, owner } = access();
    connection.define(SCRIPTS);
    await connection.subscribe(fleetKeysOf(keys.prefix).channel(owner), (text) => {
      this.#receive(JSON.parse(text) as Message).catch((error: unknown) => {
        log.debug('A question could not be answered', { error });
      });
    });
  }

  stop(): Promise<void> {
    return this.#options.recorder.stop();
  }

  async #receive(message: Message): Promise<void> {
    const { part, recorder } = this.#options;
    switch (message.kind) {
      case 'requests':
        return this.#answer(message.reply, await part.requests(message.query));
      case 'kept':
        return this.#answer(message.reply, await part.keptOutcomes(message.limit));
      case 'drain':
        return part.drain(part.id);
      case 'clear':
        return recorder.clear();
      // A question of a newer release.
      default:
    }
  }

  async #answer({ channel, question }: Reply, answer: unknown): Promise<void> {
    const { connection, owner } = this.#options.access();
    const given: Answer = { question, process: owner, answer };
    await connection.redis.publish(channel, JSON.stringify(given));
  }
}
