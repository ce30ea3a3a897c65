import { activityInfo, heartbeat, log } from '@temporalio/activity';
import type { ResolvedOptions } from '../src/config/options.ts';
import { retryFailure } from '../src/completion/failure.ts';
import type { Found, HeldOutcomes } from '../src/liveness/held-outcomes.ts';
import type { Liveness } from '../src/liveness/port.ts';
import type { ControlActivities } from '../src/shared/activities.ts';
import { tooLargeAlone, wholeResult } from '../src/shared/batch.ts';
import { MAX_OUTCOMES_BYTES } from '../src/shared/batch-spec.ts';
import { KeptOutcomeError } from '../src/shared/errors.ts';
import { responseOf, type Outcome, type Settled } from '../src/shared/outcome.ts';
import { jsonBytes } from '../src/shared/text.ts';
import { createBatchFiles } from './batch-files.ts';
import { startCallbacks } from './start-callbacks.ts';

/** ms of asking after which what no process was found to have is lost. */
const SEARCH = 60_000;
/** Most ms from answer to answer that count as asking: in longer ones Redis or Temporal was away. */
const MOST_BETWEEN = 2_000;
/** ms for which a Redis that does not answer is asked again at once. */
const REDIS_SEARCH = 5_000;
/** ms */
const SEARCH_PAUSE = 200;

/** What the attempts of a question know of each other. */
interface Search {
  /** For which processes have been asked that have nothing. */
  ms: number;
  /** Epoch ms of the last of their answers. */
  at: number;
}

export function createControlActivities(
  liveness: Liveness,
  held: HeldOutcomes,
  options: Pick<ResolvedOptions, 'callbackTaskQueue' | 'batchDirectory' | 'payloadStore'>,
): ControlActivities {
  return {
    async cancelRequest(key) {
      await liveness.cancel({ namespace: activityInfo().namespace, ...key });
    },
    async collectOutcomes(part) {
      const { namespace, workflowExecution, scheduledTimestampMs, heartbeatDetails } =
        activityInfo();
      const { workflowId, runId } = workflowExecution!;
      const { activityId, positions, later } = part;
      const key = { namespace, workflowId, runId, activityId };
      // Another process may have them, and be the next to be asked.
      const elsewhere = () =>
        retryFailure('Elsewhere', 'These outcomes are held by another process', SEARCH_PAUSE);
      const found = await held.collect(key, positions, later).catch((cause: unknown): Found => {
        if (Date.now() < scheduledTimestampMs + REDIS_SEARCH) throw elsewhere();
        const message = 'redisUrl: what it ended with is kept in Redis, which is away';
        const away = new KeptOutcomeError(message, { cause });
        return new Map(positions.map((position) => [position, away]));
      });
      if (found.size < positions.length) {
        const search = untilNow(heartbeatDetails as Search | undefined);
        if (search.ms < SEARCH) {
          heartbeat(search);
          throw elsewhere();
        }
      }
      return positions.map((position) => {
        const outcome = found.get(position);
        if (!(outcome instanceof KeptOutcomeError)) return outcome ? wholeResult(outcome) : null;
        log.warn('A held outcome cannot be read', { activityId, position, error: outcome });
        return { unread: outcome.message };
      });
    },
    async recoverOutcomes({ activityId, items }) {
      const { namespace, workflowExecution } = activityInfo();
      const { workflowId, runId } = workflowExecution!;
      const key = { namespace, workflowId, runId, activityId };
      const settled = await liveness.settledItems(key, items);
      if (!settled) return null;
      const bytes: (number | null)[] = settled.map(() => null);
      const ended = new Map<number, Outcome>();
      for (const [position, each] of settled.entries()) {
        if (!each || each instanceof KeptOutcomeError) continue;
        const outcome = collectable(each, options.payloadStore !== undefined);
        ended.set(position, outcome);
        bytes[position] = jsonBytes(wholeResult(outcome));
      }
      await held.hold(key, ended);
      return bytes;
    },
    startCallbacks,
    async callbackTaskQueue() {
      return options.callbackTaskQueue ?? null;
    },
    ...createBatchFiles(options.batchDirectory, () => activityInfo().startToCloseTimeoutMs),
  };
}

/** Of a batch that is cancelled: nothing is tried again. What no result can hold gives way. */
function collectable(settled: Settled, isStored: boolean): Outcome {
  if (settled.kind === 'retry') return { kind: 'error', error: settled.error };
  if (settled.kind === 'error' || isStored) return settled;
  const response = responseOf(settled);
  const bytes = jsonBytes(response);
  return bytes > MAX_OUTCOMES_BYTES
    ? { kind: 'error', ...tooLargeAlone(response, bytes) }
    : settled;
}

function untilNow(search: Search | undefined): Search {
  const at = Date.now();
  if (!search) return { ms: 0, at };
  const since = Math.max(0, Math.min(at - search.at, MOST_BETWEEN));
  return { ms: search.ms + since, at };
}
