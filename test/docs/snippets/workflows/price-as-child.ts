// #region
import { executeChild, ParentClosePolicy } from '@temporalio/workflow';
import { patientGet, toResponse } from 'patient-http/workflow';

export async function priceAsChild(api: string, order: string): Promise<number> {
  const wire = await executeChild(patientGet, {
    workflowId: `price-${order}`,
    taskQueue: 'patient-http',
    args: [{ url: `${api}/price/${order}`, timeout: '10m', raiseErrorResponses: true }],
    parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
  });
  return toResponse(wire!).json<{ amount: number }>().amount;
}
// #endregion
