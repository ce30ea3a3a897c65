import { activityInfo } from '@temporalio/activity';
import type { Liveness } from '../src/liveness/port.ts';
import type { ControlActivities } from '../src/shared/activities.ts';

export function createControlActivities(
  liveness: Liveness,
  options: { callbackTaskQueue?: string | undefined },
): ControlActivities {
  return {
    async cancelRequest(key) {
      await liveness.cancel({ namespace: activityInfo().namespace, ...key });
    },
    async callbackTaskQueue() {
      return options.callbackTaskQueue ?? null;
    },
  };
}
