/** Names in Redis, beside those of the liveness and in the same slot of a cluster. */
export interface FleetKeys {
  /** hash: start, ms → JSON of an hour's counts */
  readonly hours: string;
  /** hash: start, ms → JSON of a minute's counts */
  readonly minutes: string;
  /** list of JSON, newest first */
  readonly failures: string;
  /** number of the last delta that a process has recorded */
  recorded(owner: string): string;
  /** channel of questions and orders to a process */
  channel(owner: string): string;
  /** channel of answers to one who asks */
  answers(asker: string): string;
}

export function fleetKeysOf(prefix: string): FleetKeys {
  return {
    hours: `${prefix}statistics-hours`,
    minutes: `${prefix}statistics-minutes`,
    failures: `${prefix}failures`,
    recorded: (owner) => `${prefix}recorded:${owner}`,
    channel: (owner) => `${prefix}fleet:${owner}`,
    answers: (asker) => `${prefix}answers:${asker}`,
  };
}
