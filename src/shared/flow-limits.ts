/** When a key whose requests keep failing is left alone. */
export interface FlowBreaker {
  /** Failures in a row that open it. */
  failures: number;
  /** ms until a single request probes whether the API is back. */
  openFor: number;
}

/** Limits of a flow key, resolved; what is undefined does not limit. */
export interface FlowLimits {
  /** Units of cost per `period`; a request costs 1 unless it says otherwise. */
  rate?: number | undefined;
  /** ms */
  period?: number | undefined;
  /** Units that may go at once when the key has been idle; default 1: an even flow. */
  burst?: number | undefined;
  /** Requests in flight. */
  concurrency?: number | undefined;
  breaker?: FlowBreaker | undefined;
}

/** A period of none but a rate is given. */
export const DEFAULT_PERIOD = 1_000;

/** Of one unit of cost, ms: 24.8 days, as every duration. */
export const LONGEST_INTERVAL = 2 ** 31 - 1;

/** Most that a request may take. */
export const MAX_UNITS = 1e9;

/** What a spec says of its flow. */
export interface ResolvedFlow {
  /** Undefined: the request's host. */
  key: string | undefined;
  limits: FlowLimits;
  /** Units it takes from the rate before it is sent. */
  cost: number;
  /** RFC 6901, into the response: the units it has really cost. */
  pointer: string | undefined;
}

/** The key that a request's limits count under. */
export function flowKeyOf(host: string, flow: ResolvedFlow | undefined): string {
  return flow?.key ?? host;
}
