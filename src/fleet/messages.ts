import type { RequestQuery } from './port.ts';

/** What a process is asked, or told to do, on its channel. */
export type Message =
  | { kind: 'requests'; query: RequestQuery; reply: Reply }
  | { kind: 'kept'; limit: number; reply: Reply }
  | { kind: 'drain' }
  /** Statistics are cleared: what is not stored yet is to be forgotten. */
  | { kind: 'clear' };

/** Where an answer goes, and the question it belongs to. */
export interface Reply {
  channel: string;
  question: number;
}

export interface Answer<T = unknown> {
  question: number;
  process: string;
  answer: T;
}
