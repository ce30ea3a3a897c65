// #region
import { condition, defineSignal, setHandler, workflowInfo } from '@temporalio/workflow';
import { patient, type CallbackArgument } from 'patient-http/workflow';

const answered = defineSignal<[CallbackArgument]>('answered');

export async function askAndGoOn(url: string): Promise<string | undefined> {
  let answer: CallbackArgument | undefined;
  setHandler(answered, (argument) => {
    answer = argument;
  });
  const { workflowId } = workflowInfo();
  await patient.submit.get(url, { callback: { signal: 'answered', workflowId }, result: 'none' });
  // … other work …
  await condition(() => answer !== undefined);
  return answer?.outcome;
}
// #endregion
