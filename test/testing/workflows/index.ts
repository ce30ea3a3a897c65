import { executeChild } from '@temporalio/workflow';
import {
  defineCallback,
  patient,
  patientRequest,
  type RequestSpec,
  type WireResponse,
} from '../../../workflows/index.ts';

/** As a user writes it: the Patient HTTP workers are on their default queues. */
export async function fetchPrice(url: string): Promise<unknown> {
  const response = await patient.get(url);
  return response.json();
}

export async function inlineOn(taskQueue: string, spec: RequestSpec): Promise<WireResponse> {
  return patient.extend({ taskQueue }).request(spec);
}

export async function childOn(taskQueue: string, spec: RequestSpec): Promise<WireResponse | null> {
  return executeChild(patientRequest, { taskQueue, args: [spec] });
}

export async function submitOn(
  taskQueue: string,
  url: string,
  callback: NonNullable<RequestSpec['callback']>,
): Promise<string> {
  return patient
    .extend({ taskQueue })
    .submit.get(url, { callback, callbackArgs: { from: 'test' } });
}

export const statusOf = defineCallback({
  onComplete: ({ status }) => status,
  onError: ({ type }) => type,
});
