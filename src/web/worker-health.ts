import type { Worker } from '@temporalio/worker';
import type { Liveness } from '../liveness/port.ts';
import type { Processor } from '../processor/processor.ts';
import type { HealthSource } from './health.ts';

/** The health of both Temporal workers and of the processor that they serve. */
export function healthOf(
  processor: Processor,
  liveness: Liveness,
  [main, requests]: [main: Worker, requests: Worker],
): HealthSource {
  const polls = (worker: Worker, kind: 'workflowPollerState' | 'activityPollerState'): boolean =>
    worker.getState() === 'RUNNING' && worker.getStatus()[kind] === 'POLLING';
  return {
    get state() {
      return processor.state;
    },
    get inFlight() {
      return processor.inFlight;
    },
    get ready() {
      const polling = polls(main, 'workflowPollerState') && polls(requests, 'activityPollerState');
      return processor.state === 'running' && polling;
    },
    get failed() {
      return [main, requests].some((worker) => worker.getState() === 'FAILED');
    },
    get redisUsable() {
      return liveness.usable;
    },
  };
}
