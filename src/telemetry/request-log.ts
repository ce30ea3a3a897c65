import type { ObservedError, ProcessorObserver, TaskView } from '../processor/observers.ts';
import type { Log } from '../shared/log.ts';

const ENDED = 'Request ended';

/**
 * One line for each request that ends, and one where an error is delivered instead of its response. No
 * query, no header, no body: nothing that may be secret.
 */
export function requestLog(log: Log): ProcessorObserver {
  const write = (message: string, task: TaskView, ending: Record<string, unknown>): void => {
    const { key, request, host, path, tryNumber, elapsed } = task;
    log.debug(message, {
      requestId: request.requestId,
      workflowId: key.workflowId,
      method: request.method,
      host,
      path,
      durationMs: Math.round(elapsed),
      attempt: tryNumber,
      ...ending,
    });
  };
  return {
    requestResponse(task, { status }, retryIn) {
      if (retryIn === undefined) write(ENDED, task, { status, phase: 'sent' });
    },
    requestError(task, { type, phase }: ObservedError, retryIn) {
      if (retryIn === undefined) write(ENDED, task, { errorType: type, phase });
    },
    responseReplaced(task, { type, phase }) {
      write('Response replaced', task, { errorType: type, phase });
    },
  };
}
