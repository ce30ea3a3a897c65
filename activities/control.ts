import { activityInfo } from '@temporalio/activity';
import type { ResolvedOptions } from '../src/config/options.ts';
import type { Liveness } from '../src/liveness/port.ts';
import type { ControlActivities } from '../src/shared/activities.ts';
import { createBatchFiles } from './batch-files.ts';

export function createControlActivities(
  liveness: Liveness,
  options: Pick<ResolvedOptions, 'callbackTaskQueue' | 'batchDirectory'>,
): ControlActivities {
  return {
    async cancelRequest(key) {
      await liveness.cancel({ namespace: activityInfo().namespace, ...key });
    },
    async callbackTaskQueue() {
      return options.callbackTaskQueue ?? null;
    },
    ...createBatchFiles(options.batchDirectory),
  };
}
