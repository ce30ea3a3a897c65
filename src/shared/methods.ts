import { METHODS, type Method } from './constants.ts';

/** One function per method, by its lower-case name. */
export type PerMethod<Call> = Record<Lowercase<Method>, Call>;

export function perMethod<Call>(make: (method: Method) => Call): PerMethod<Call> {
  return {
    get: make('GET'),
    head: make('HEAD'),
    post: make('POST'),
    put: make('PUT'),
    patch: make('PATCH'),
    delete: make('DELETE'),
  };
}

/** `patientGet` and its like read better in a list of workflows than `patientRequest`. */
export function workflowTypeFor(method: unknown = 'GET'): string {
  const name =
    typeof method === 'string' && METHODS.find((known) => known === method.toUpperCase());
  return name ? `patient${name[0]}${name.slice(1).toLowerCase()}` : 'patientRequest';
}

export const BATCH_WORKFLOW = 'patientBatch';

const READY_MADE = new Set(['patientRequest', BATCH_WORKFLOW, ...METHODS.map(workflowTypeFor)]);

/** Whether a workflow of this type is one request or batch of ours, and nothing else. */
export function isReadyMade(workflowType: string): boolean {
  return READY_MADE.has(workflowType);
}
