import { createHash } from 'node:crypto';
import type { BatchResult, BatchSpec, KeepMode } from '../../shared/wire-batch.ts';
import { checkBatch } from '../../shared/batch-spec.ts';
import { isRequestId } from '../../shared/request-id.ts';
import { readInteger, readObject } from '../arguments.ts';
import { queueOf } from '../batch/queue.ts';
import { openRequests } from '../batch/requests-file.ts';
import { Results } from '../batch/results-file.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { UsageError } from '../failure.ts';
import { duration, printJson, say } from '../output.ts';

export interface BatchFlags {
  output?: string;
  defaults?: string;
  chunkSize?: string;
  concurrency?: string;
  keep?: KeepMode;
  workflowId?: string;
  json?: boolean;
  cancelOnInterrupt?: boolean;
}

/**
 * `patient batch FILE`. The batch's workflow gets its requests from this process and gives it their
 * outcomes, through activities on a queue of their own: no argument is too large, no folder is
 * shared, and whoever serves the queue next goes on.
 */
export async function runBatch(file: string, flags: BatchFlags): Promise<ExitCode> {
  const { output, keep = 'all', workflowId: given } = flags;
  if (given !== undefined && !isRequestId(given)) {
    const expected = 'expected 1 to 255 visible ASCII characters';
    throw new UsageError(`--workflow-id: ${expected}, got ${JSON.stringify(given)}`);
  }
  if (keep === 'none' && output !== undefined) {
    throw new UsageError('--output: expected none beside --keep none, which writes nothing');
  }
  const { defaults, ...limits } = await limitsOf(flags);
  await using requests = await openRequests(file, defaults ?? {});
  const workflowId = given ?? idOf(requests.digest, defaults);
  const taskQueue = queueOf(workflowId);
  const spec = checked({
    source: { activity: 'readRequests', taskQueue, args: [requests.digest] },
    ...(defaults && { defaults }),
    ...limits,
    ...(keep === 'none' ? { keep } : { sink: { activity: 'writeResults', taskQueue } }),
  });
  // Temporal's native half, for arguments that are right.
  const { findBatch, serveBatch, withNativeTemporal } = await import('../batch/serve.ts');
  return await withNativeTemporal(async (access) => {
    const known = await findBatch(access, workflowId, spec);
    await using results = await Results.open(output, keep, known !== undefined);
    const handle = await access.patient.submitBatch(spec, workflowId);
    if (known) say(`batch ${workflowId} was started ${duration(known.ago)} ago; going on`);
    else say(`batch ${workflowId}: ${requests.total} requests`);
    const result = await serveBatch(access, handle, {
      ...{ requests, results, taskQueue },
      printed: output === undefined && keep !== 'none',
      cancelOnInterrupt: flags.cancelOnInterrupt ?? false,
    });
    return report(result, { workflowId, results, flags });
  });
}

async function limitsOf({
  defaults,
  chunkSize,
  concurrency,
}: BatchFlags): Promise<Pick<BatchSpec, 'defaults' | 'chunkSize' | 'concurrency'>> {
  return {
    ...(defaults !== undefined && { defaults: await readObject('--defaults', defaults) }),
    ...(chunkSize !== undefined && { chunkSize: readInteger('--chunk-size', chunkSize) }),
    ...(concurrency !== undefined && { concurrency: readInteger('--concurrency', concurrency) }),
  };
}

/** @throws UsageError */
function checked(spec: BatchSpec): BatchSpec {
  try {
    checkBatch(spec);
    return spec;
  } catch (cause) {
    throw new UsageError((cause as Error).message, { cause });
  }
}

/** The same requests are the same batch, in whatever file they are. */
function idOf(digest: string, defaults: object | undefined): string {
  const all = createHash('sha256').update(`${digest}${JSON.stringify(defaults ?? {})}`);
  return `patient-batch-${all.digest('hex').slice(0, 16)}`;
}

function report(
  { succeeded, failed }: BatchResult,
  { workflowId, results, flags }: { workflowId: string; results: Results; flags: BatchFlags },
): ExitCode {
  const { output, keep, json } = flags;
  const missing = keep === 'none' ? 0 : succeeded + failed - results.count;
  const isPiped = !process.stdout.isTTY && output !== undefined;
  if (json || isPiped) printJson({ workflowId, succeeded, failed, written: results.count });
  else say(`${succeeded} succeeded, ${failed} failed`);
  if (missing > 0) {
    say(`${missing} results of this batch went elsewhere before; --workflow-id sends it anew`);
  }
  return failed > 0 ? EXIT.failed : EXIT.done;
}
