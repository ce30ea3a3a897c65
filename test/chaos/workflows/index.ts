import { defineCallback, type CallbackArgument } from '../../../workflows/index.ts';

/** The argument as it came. */
export async function rawCallback(argument: CallbackArgument): Promise<CallbackArgument> {
  return argument;
}

/** Its handlers' view of the same. */
export const handlerCallback = defineCallback({
  onComplete: (response, { requestId }) => ({
    ...{ requestId, outcome: 'response' },
    response: { status: response.status, attempt: response.attempt, body: response.text() },
  }),
  onError: ({ type, message, attempt }, { requestId }) => ({
    ...{ requestId, outcome: 'error' },
    error: { type, message, attempt },
  }),
});
