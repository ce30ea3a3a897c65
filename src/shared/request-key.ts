/** The identity of a request: state is kept under it, never under one attempt's token. */
export interface RequestKey {
  namespace: string;
  workflowId: string;
  runId: string;
  activityId: string;
  /** Position in a batch. */
  index?: number;
}

/** A string that no two different keys share, whatever characters their ids hold. */
export function keyString(key: RequestKey): string {
  const { namespace, workflowId, runId, activityId, index } = key;
  const parts = [namespace, workflowId, runId, activityId, ...(index === undefined ? [] : [index])];
  return JSON.stringify(parts);
}

export function keyFromString(id: string): RequestKey {
  const [namespace, workflowId, runId, activityId, index] = JSON.parse(id) as [
    ...[string, string, string, string],
    number?,
  ];
  return { namespace, workflowId, runId, activityId, ...(index !== undefined && { index }) };
}
