import type { WorkflowExecutionDescription, WorkflowHandle } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import { requestError } from '../../../workflows/failure.ts';
import { looseSpec, describeSpec } from '../../shared/loose-spec.ts';
import { BATCH_WORKFLOW, isReadyMade } from '../../shared/methods.ts';
import { redactUrl } from '../../shared/url.ts';
import type { WireResponse } from '../../shared/wire.ts';
import type { BatchProgressReport, BatchResult } from '../../shared/wire-batch.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { describeFailure } from '../failure.ts';
import { decode, workflowArguments } from '../history.ts';
import { printJson, wantsJson } from '../output.ts';
import { findRequest, type LiveView } from '../requests.ts';
import { printDetails, type ActivityDetails, type Details } from '../show/details.ts';
import { withTemporal, type TemporalClient } from '../temporal-client.ts';

/** `patient show ID` */
export async function show(id: string, flags: { json?: boolean }): Promise<ExitCode> {
  const details = await withTemporal(async (access) => {
    const { description, live } = await findRequest(access, id);
    return detailsOf(access, description, live);
  });
  if (wantsJson(flags)) printJson(details);
  else printDetails(details);
  return EXIT.done;
}

async function detailsOf(
  access: TemporalClient,
  description: WorkflowExecutionDescription,
  live: LiveView,
): Promise<Details> {
  const { workflowId, runId, type, status, startTime, closeTime } = description;
  const handle = access.client.workflow.getHandle(workflowId, runId);
  const ours = isReadyMade(type);
  return {
    ...{ workflowId, runId, type, status: status.name, startedAt: startTime.toISOString() },
    ...(closeTime && { closedAt: closeTime.toISOString() }),
    ...(ours && type !== BATCH_WORKFLOW && { request: await requestOf(access, description) }),
    ...(type === BATCH_WORKFLOW && !closeTime && (await progressOf(handle))),
    activities: await activitiesOf(access, description),
    ...(ours && closeTime && (await outcomeOf(handle))),
    ...live,
  };
}

/** Fields of the spec that say how it is sent; nothing that can hold a secret. */
const SHOWN = ['timeout', 'deadline', 'resend', 'result', 'callback', 'flow', 'priority'] as const;

async function requestOf(
  access: TemporalClient,
  execution: WorkflowExecutionDescription,
): Promise<Record<string, unknown>> {
  const [spec] = await workflowArguments(access, execution).catch(unreadable);
  if (typeof spec === 'object' && spec !== null && 'unreadable' in spec) return { ...spec };
  const { url, method } = describeSpec(spec);
  const loose = looseSpec(spec);
  const fields = SHOWN.filter((name) => loose[name] !== undefined);
  return {
    method,
    url: redactUrl(url),
    ...Object.fromEntries(fields.map((name) => [name, loose[name]])),
    ...(loose.idempotencyKey !== undefined && { idempotencyKey: true }),
  };
}

/** In place of what could not be decoded. */
function unreadable(error: unknown): unknown[] {
  return [{ unreadable: describeFailure(error) }];
}

async function progressOf(handle: WorkflowHandle): Promise<Pick<Details, 'batch'>> {
  try {
    return { batch: await handle.query<BatchProgressReport>('progress') };
  } catch {
    // No worker answers.
    return {};
  }
}

/** How a closed workflow ended, in few words. */
async function outcomeOf(handle: WorkflowHandle): Promise<Partial<Details>> {
  try {
    const result = (await handle.result()) as WireResponse | BatchResult | null;
    if (result && 'succeeded' in result) {
      const { outcomes: _, ...batch } = result;
      return { batch };
    }
    if (!result || !('status' in result)) return {};
    const { status, durationMs, attempt, body, bodyEncoding } = result;
    const encoding = bodyEncoding === 'base64' ? 'base64' : 'utf8';
    const bytes = Buffer.byteLength(body ?? '', encoding);
    return { response: { status, durationMs, attempt, bytes } };
  } catch (error) {
    const known = requestError(error);
    if (known) {
      const { response: _, ...rest } = known;
      return { error: rest };
    }
    const cause = (error as { cause?: unknown }).cause ?? error;
    if (cause instanceof CancelledFailure) {
      return { error: { type: 'CancelledError', message: cause.message } };
    }
    return { error: { type: 'UnknownError', message: describeFailure(cause) } };
  }
}

const STATES = ['unspecified', 'scheduled', 'started', 'cancel requested', 'paused', 'pausing'];

async function activitiesOf(
  access: TemporalClient,
  { raw, workflowId }: WorkflowExecutionDescription,
): Promise<ActivityDetails[]> {
  const submits = (raw.pendingActivities ?? []).filter(({ activityType }) =>
    ['submitRequest', 'submitBatch'].includes(activityType?.name ?? ''),
  );
  return Promise.all(
    submits.map(async (each) => {
      const { activityId, state, attempt, lastWorkerIdentity, lastFailure } = each;
      const { scheduledTime, heartbeatDetails } = each;
      const details = decode(access, heartbeatDetails?.payloads, workflowId);
      const [progress] = await details.catch(unreadable);
      const next = Number(scheduledTime?.seconds ?? 0) * 1000 - Date.now();
      const type = lastFailure?.applicationFailureInfo?.type;
      return {
        activityId: activityId ?? '',
        state: STATES[state ?? 0] ?? String(state),
        attempt: attempt ?? 1,
        ...(next > 0 && { nextAttemptIn: next }),
        ...(lastWorkerIdentity && { lastWorker: lastWorkerIdentity }),
        ...(lastFailure && { lastFailure: `${type ? `${type}: ` : ''}${lastFailure.message}` }),
        ...(progress !== undefined && { progress }),
      };
    }),
  );
}
