import { workflowInfo } from '@temporalio/workflow';
import { describeSpec, type LooseSpec } from '../src/shared/loose-spec.ts';
import { cutText } from '../src/shared/text.ts';
import { redactUrl } from '../src/shared/url.ts';

/** Temporal takes 400 bytes; more would block the workflow. */
const MAX_SUMMARY = 300;

/** How Temporal's UI names the activity: no query, no userinfo. */
export function summaryOf(spec: LooseSpec): string {
  const { url, method } = describeSpec(spec);
  return summary(`${method} ${redactUrl(url).replace(/^https?:\/\//, '')}`);
}

/** A text that Temporal's UI shows beside an activity or workflow. */
export function summary(text: string): string {
  return cutText(text, MAX_SUMMARY);
}

/** Survives a reset, differs when a workflow id is used again. */
export function originalRun(): { workflowId: string; runId: string } {
  const { workflowId, originalExecutionRunId } = workflowInfo();
  return { workflowId, runId: originalExecutionRunId };
}
