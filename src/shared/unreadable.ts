import type { JsonPayload } from './json-payload.ts';

const MARK = '$patient-http/unreadable';

/** In place of a value that a process cannot decode. */
export interface Unreadable {
  /** Names the key or the store. */
  message: string;
  /** How often it could not be read before. */
  unread: number;
  /** Its payload, where that may be sent again as it is. */
  payload?: JsonPayload;
}

export function markUnreadable(unreadable: Unreadable): object {
  return { [MARK]: unreadable };
}

export function asUnreadable(value: unknown): Unreadable | undefined {
  return (Object(value) as { [MARK]?: Unreadable })[MARK];
}
