import type { WireError, WireResponse } from '../../shared/wire.ts';
import type { BatchProgressReport, BatchResult } from '../../shared/wire-batch.ts';
import type { LiveView } from '../requests.ts';
import { duration, printTable } from '../output.ts';
import { printRequests } from '../actions/ps.ts';
import { oneLine } from '../failure.ts';

/** What `patient show` prints as JSON. */
export interface Details extends LiveView {
  workflowId: string;
  runId: string;
  type: string;
  status: string;
  /** ISO 8601 */
  startedAt: string;
  closedAt?: string;
  request?: Record<string, unknown>;
  batch?: BatchProgressReport | Omit<BatchResult, 'outcomes'>;
  activities: ActivityDetails[];
  response?: Pick<WireResponse, 'status' | 'durationMs' | 'attempt'> & { bytes: number };
  error?: Pick<WireError, 'type' | 'message'> & Partial<WireError>;
}

/** A submit activity that Temporal waits for. */
export interface ActivityDetails {
  activityId: string;
  state: string;
  /** Temporal's attempt; a try, a hand-over and a crash are one each. */
  attempt: number;
  /** ms */
  nextAttemptIn?: number;
  lastWorker?: string;
  lastFailure?: string;
  /** What the next attempt will know: whether it was sent, tries, hand-overs. */
  progress?: unknown;
}

/** For people: what is known, a line each, and nothing that is not. */
export function printDetails(details: Details): void {
  const { workflowId, runId, type, status, startedAt, closedAt, request, response, error } =
    details;
  const { url, method, ...fields } = request ?? {};
  const end = closedAt === undefined ? Date.now() : Date.parse(closedAt);
  const age = duration(end - Date.parse(startedAt));
  line('workflow', `${workflowId} (${type}, run ${runId})`);
  line('status', closedAt ? `${status} after ${age}, at ${closedAt}` : `${status} for ${age}`);
  if (request) line('request', method ? `${String(method)} ${String(url)}` : inline(request));
  for (const [name, value] of Object.entries(fields)) line(name, inline(value));
  if (details.batch) line('batch', inline(details.batch));
  if (response) {
    const { status: code, bytes, durationMs, attempt } = response;
    line('response', `${code}, ${bytes} bytes in ${duration(durationMs)}, try ${attempt}`);
  }
  if (error) line('error', `${error.type}: ${error.message}`);
  for (const activity of details.activities.slice(0, MAX_LINES)) {
    line('activity', describeActivity(activity));
  }
  for (const each of details.kept) {
    const where = each.process ?? 'a process that is gone';
    line('kept', `an outcome in hand that Temporal does not have yet, by ${where}`);
  }
  if (details.inFlight.length > 0) {
    console.log();
    printRequests(details.inFlight);
  }
  if (details.failures.length > 0) {
    console.log();
    printTable(
      ['FAILED AT', 'TRY', 'ERROR', 'MESSAGE'],
      details.failures.map(({ at, attempt, type: word, message }) => [
        ...[new Date(at).toISOString(), String(attempt), word, message],
      ]),
      '',
    );
  }
}

/** Of a batch's chunks. */
const MAX_LINES = 10;

function describeActivity(activity: ActivityDetails): string {
  const { state, attempt, nextAttemptIn, lastWorker, lastFailure, progress } = activity;
  return [
    `${state}, attempt ${attempt}`,
    ...(nextAttemptIn === undefined ? [] : [`next in ${duration(nextAttemptIn)}`]),
    ...(lastWorker === undefined ? [] : [`last on ${lastWorker}`]),
    ...(progress === undefined ? [] : [inline(progress)]),
    ...(lastFailure === undefined ? [] : [`last failure ${lastFailure}`]),
  ].join('; ');
}

function line(name: string, text: string): void {
  console.log(`${name.padEnd(10)}  ${oneLine(text)}`);
}

/** `{ a: 1, b: "x" }` as `a 1, b x`. */
function inline(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .map(
      ([name, each]) => `${name} ${typeof each === 'object' ? JSON.stringify(each) : String(each)}`,
    )
    .join(', ');
}
