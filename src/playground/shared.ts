/** What workflows and the process that runs them agree on; no Node builtin. */
export const PLAYGROUND_QUEUE = 'patient-playground';

/** As many as Patient HTTP makes without being told. */
export const PLAIN_TRIES = 3;

export interface PlainActivities {
  /** `since`: epoch ms of the click. */
  plainFetch(url: string, since: number): Promise<void>;
}

export interface Calls {
  url: string;
  count: number;
  /** Epoch ms of the click. */
  since: number;
}

const ID = /^playground-(\d+)-/;

/** The request id tells a call's worker when it was fired. */
export function requestIdOf(since: number, workflowId: string, index: number): string {
  return `playground-${since}-${workflowId}-${index}`;
}

/** Undefined for a request that is none of the playground's. */
export function firedAt(requestId: string): number | undefined {
  const [, since] = ID.exec(requestId) ?? [];
  return since === undefined ? undefined : Number(since);
}
