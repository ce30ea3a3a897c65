import { condition, defineQuery, defineSignal, setHandler } from '@temporalio/workflow';
import { patient, type RequestSpec } from '../../../workflows/index.ts';

const last = defineQuery<unknown>('last');
const finish = defineSignal('finish');

/** Keeps its response for queries until it is told to end. */
export async function keepForQueries(spec: RequestSpec, taskQueue: string): Promise<number> {
  const { status, body } = await patient.extend({ taskQueue }).request(spec);
  let finished = false;
  setHandler(last, () => body);
  setHandler(finish, () => {
    finished = true;
  });
  await condition(() => finished);
  return status;
}
