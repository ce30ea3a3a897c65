/** Names in Redis, beside those of the liveness and in the same slot of a cluster. */
export interface FlowKeys {
  /** hash: key → JSON of what was set at run time */
  readonly overrides: string;
  /** zset: key → time last used */
  readonly index: string;
  /** channel of what concerns every process */
  readonly all: string;
  /** channel of messages to one process */
  channel(owner: string): string;
  /** hash: see permit-6.lua */
  state(key: string): string;
  /** hash: owner → permits */
  held(key: string): string;
  /** zset: owner → time, in the order of their turns */
  waiting(key: string): string;
}

export function flowKeysOf(prefix: string): FlowKeys {
  return {
    overrides: `${prefix}flow-overrides`,
    index: `${prefix}flow-keys`,
    all: `${prefix}flow`,
    channel: (owner) => `${prefix}flow:${owner}`,
    state: (key) => `${prefix}flow-state:${key}`,
    held: (key) => `${prefix}flow-held:${key}`,
    waiting: (key) => `${prefix}flow-waiting:${key}`,
  };
}
