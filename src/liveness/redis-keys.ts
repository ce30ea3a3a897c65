const DAY = 24 * 60 * 60_000;
/** ms. Beyond the start-to-close timeout of any but the slowest requests; heartbeats cover those. */
export const RECORD_LIFE = 7 * DAY;
/** ms for which what is known of an orphan waits for its next attempt. */
export const ORPHAN_LIFE = DAY;

/** Names in Redis. One hash tag: all of them live in one slot of a cluster. */
export interface RedisKeys {
  readonly prefix: string;
  /** zset: owner → expiry, ms */
  readonly leases: string;
  /** hash: owner → JSON */
  readonly processes: string;
  /** hash: see register-3.lua */
  request(id: string): string;
  /** set: ids of an owner's requests */
  records(owner: string): string;
  /** hash: ids that an owner is to cancel → who asks; for ten minutes from the last */
  cancels(owner: string): string;
  /** channel of messages to an owner */
  channel(owner: string): string;
}

export function keysOf(namespace: string, taskQueue: string): RedisKeys {
  // A brace in a name would end the hash tag early.
  const tag = [namespace, taskQueue].map(encodeURIComponent).join('/');
  const prefix = `patient:{${tag}}:`;
  return {
    prefix,
    leases: `${prefix}leases`,
    processes: `${prefix}processes`,
    request: (id) => `${prefix}request:${id}`,
    records: (owner) => `${prefix}records:${owner}`,
    cancels: (owner) => `${prefix}cancels:${owner}`,
    channel: (owner) => `${prefix}owner:${owner}`,
  };
}
