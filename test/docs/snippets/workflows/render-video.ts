// #region
import { ApplicationFailure, sleep } from '@temporalio/workflow';
import { patient } from 'patient-http/workflow';

export async function renderVideo(api: string, script: string): Promise<string> {
  const jobs = patient.extend({ baseUrl: `${api}/jobs`, raiseErrorResponses: true });
  const accepted = await jobs.post('', { json: { script }, idempotencyKey: true });
  const { id } = accepted.json<{ id: string }>();
  for (;;) {
    const { state, url } = (await jobs.get(id)).json<{ state: string; url?: string }>();
    if (state === 'failed') throw ApplicationFailure.nonRetryable(`job ${id} failed`);
    if (url !== undefined) return url;
    await sleep('10s');
  }
}
// #endregion
