import { withoutBody, wireResponse, type HeldResponse } from './held-response.ts';
import type { JsonPayload } from './json-payload.ts';
import type { WireError, WireResponse } from './wire.ts';

/** How a request ended, once and for all: what is kept under its key until Temporal has it. */
export type Outcome =
  | { kind: 'response'; response: HeldResponse }
  /** A response that is encoded, and in the payload store if it is large; here without its body. */
  | { kind: 'encoded'; response: WireResponse; result: JsonPayload }
  | { kind: 'error'; error: WireError };

/** How an item of a batch ended in one activity: for good, or with a try that is to be repeated. */
export type Settled = Outcome | { kind: 'retry'; delay: number; error: WireError };

/** The outcome as JSON has it. */
export function plainOutcome(settled: Settled): Settled {
  if (settled.kind !== 'response') return settled;
  return { ...settled, response: wireResponse(settled.response) };
}

/** What the response says that a request ended with; without its body where that is elsewhere. */
export function responseOf({ kind, response }: Exclude<Outcome, { kind: 'error' }>): WireResponse {
  return kind === 'encoded' ? withoutBody(response) : wireResponse(response);
}
