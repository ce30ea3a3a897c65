import type { Headers, WorkflowInterceptorsFactory } from '@temporalio/workflow';
import { TRACE_HEADER } from '../src/shared/constants.ts';

/**
 * Hands the trace that a workflow belongs to on to what it starts, so that a request's span finds
 * its way through the ready-made workflows. OpenTelemetry itself is not needed for that.
 */
export const interceptors: WorkflowInterceptorsFactory = () => {
  let trace: Headers = {};
  const passOn = <I extends { headers: Headers }, R>(input: I, next: (input: I) => R): R =>
    next({ ...input, headers: { ...trace, ...input.headers } });
  return {
    inbound: [
      {
        execute(input, next) {
          const header = input.headers[TRACE_HEADER];
          if (header) trace = { [TRACE_HEADER]: header };
          return next(input);
        },
      },
    ],
    outbound: [
      {
        scheduleActivity: passOn,
        startChildWorkflowExecution: passOn,
        signalWorkflow: passOn,
        continueAsNew: passOn,
      },
    ],
  };
};
