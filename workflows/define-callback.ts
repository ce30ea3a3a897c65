import { ApplicationFailure } from '@temporalio/common';
import { toResponse, type PatientResponse } from '../src/shared/response.ts';
import type { CallbackArgument, WireError } from '../src/shared/wire.ts';
import { belongsToSdk } from './sdk-errors.ts';

/** Which request it was, and what it was sent with. */
export type CallbackContext = Pick<CallbackArgument, 'requestId' | 'callbackArgs' | 'request'>;

/** What a callback does with each outcome: workflow code, with all it may do. */
export interface CallbackHandlers {
  /** The request has a response, whatever its status. */
  onComplete(response: PatientResponse, context: CallbackContext): unknown;
  /** It has none, or a status that was to be an error. */
  onError(error: WireError, context: CallbackContext): unknown;
  /** A batch has ended; needed by the callback of a batch itself, not by those of its requests. */
  onBatch?(batch: NonNullable<CallbackArgument['batch']>, context: CallbackContext): unknown;
}

/**
 * A callback workflow. Exactly one of the handlers runs, once per outcome. One that throws fails
 * the workflow, which Temporal runs again by the callback's own retry policy; the request itself
 * is never sent again for it.
 *
 * @example
 * export const orderPriced = defineCallback({
 *   onComplete: ({ status }, { callbackArgs }) => log.info('priced', { status, callbackArgs }),
 *   onError: ({ type }, { callbackArgs }) => log.warn('not priced', { type, callbackArgs }),
 * });
 */
export function defineCallback(
  handlers: CallbackHandlers,
): (argument: CallbackArgument) => Promise<unknown> {
  for (const name of ['onComplete', 'onError'] as const) {
    if (typeof handlers[name] !== 'function') {
      throw new TypeError(`defineCallback: expected ${name} to be a function`);
    }
  }
  return async ({ outcome, response, batch, error, requestId, callbackArgs, request }) => {
    const context = { requestId, callbackArgs, request };
    try {
      if (outcome === 'response' && batch) {
        if (handlers.onBatch) return await handlers.onBatch(batch, context);
        throw ApplicationFailure.nonRetryable('This callback has no onBatch, and a batch ended');
      }
      return outcome === 'response' && response
        ? await handlers.onComplete(toResponse(response), context)
        : await handlers.onError(error!, context);
    } catch (thrown) {
      // A plain error would block the workflow task instead of failing the run.
      throw belongsToSdk(thrown) ? thrown : ApplicationFailure.fromError(thrown);
    }
  };
}
