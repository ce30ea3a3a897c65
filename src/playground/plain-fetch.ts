import { activityInfo, cancellationSignal } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { PLAIN_TRIES, type PlainActivities } from './shared.ts';
import type { Side } from './side.ts';

/** Asked for, so no warning for the log. */
function failure(status: number): ApplicationFailure {
  return ApplicationFailure.create({ message: `HTTP ${status}`, category: 'BENIGN' });
}

/** The usual way: an activity that holds one of its worker's slots until the answer is there. */
export function createPlainFetch(side: Side): PlainActivities {
  return {
    async plainFetch(url, since) {
      side.started();
      try {
        const response = await fetch(url, { signal: cancellationSignal() });
        await response.text();
        if (!response.ok) throw failure(response.status);
        side.answered(since);
      } catch (error) {
        if (activityInfo().attempt >= PLAIN_TRIES) side.failed();
        throw error;
      } finally {
        side.left();
      }
    },
  };
}
