import { isUtf8 } from 'node:buffer';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { RequestHandle } from '../../client.ts';
import type { Method } from '../../shared/constants.ts';
import { isRequestId } from '../../shared/request-id.ts';
import { isSpecResendable } from '../../shared/resend.ts';
import type { PatientResponse } from '../../shared/response.ts';
import type { RequestSpec, WireError } from '../../shared/wire.ts';
import { requestError } from '../../../workflows/failure.ts';
import { readBytes, readJson, readObject, readPairs } from '../arguments.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { CliError, UsageError } from '../failure.ts';
import { printJson, say } from '../output.ts';
import { watchForStarvation } from '../queues.ts';
import { withTemporal, type TemporalClient } from '../temporal-client.ts';
import { insist, untilInterrupted } from '../waiting.ts';
import { printResponse } from '../response.ts';

export interface SendFlags {
  header?: string[];
  data?: string;
  dataJson?: string;
  form?: string[];
  spec?: string;
  timeout?: string;
  idempotencyKey?: string | true;
  callback?: string;
  workflowId?: string;
  detach?: boolean;
  fail?: boolean;
  include?: boolean;
  output?: string;
  json?: boolean;
  cancelOnInterrupt?: boolean;
}

type Options = Omit<RequestSpec, 'url' | 'method'>;

/** `patient get URL` and its like. */
export async function send(method: Method, url: string, flags: SendFlags): Promise<ExitCode> {
  const options = await specOf(flags);
  return withTemporal(async (access) => {
    const starting = start(access, method, url, options);
    if (flags.detach) {
      const { requestId } = await starting;
      if (flags.json) printJson({ workflowId: requestId });
      else console.log(requestId);
      return EXIT.done;
    }
    const shown = method === 'HEAD' ? { ...flags, include: true } : flags;
    return finish(access, starting, { ...options, method, url }, shown);
  });
}

async function start(
  { patient }: TemporalClient,
  method: Method,
  url: string,
  options: Options,
): Promise<RequestHandle> {
  try {
    const name = method.toLowerCase() as Lowercase<Method>;
    return await patient.submit[name](url, options);
  } catch (error) {
    const refused = requestError(error);
    throw refused ? new UsageError(refused.message) : error;
  }
}

async function finish(
  access: TemporalClient,
  starting: Promise<RequestHandle>,
  spec: RequestSpec,
  flags: SendFlags,
): Promise<ExitCode> {
  let { requestId } = spec;
  const calm = watchForStarvation(access);
  try {
    // A signal can come before Temporal has answered.
    const work = starting.then((handle) => {
      ({ requestId } = handle);
      return insist(() => handle.result());
    });
    const response = await untilInterrupted(work, {
      message: () => left(requestId),
      cancel: flags.cancelOnInterrupt ? async () => (await starting).cancel() : undefined,
    });
    return await report(response, requestId!, flags);
  } catch (error) {
    return fail(error, spec, flags);
  } finally {
    calm();
  }
}

function left(requestId: string | undefined): string {
  if (requestId === undefined) return 'nobody knows whether the request was started';
  return (
    `the request goes on as workflow ${requestId}: \`patient show\` tells how, ` +
    '`patient cancel` ends it, and this command with --workflow-id waits again'
  );
}

async function report(
  response: PatientResponse | null,
  requestId: string,
  flags: SendFlags,
): Promise<ExitCode> {
  if (response !== null && typeof response.status !== 'number') {
    throw new CliError(`workflow ${requestId} is no request`);
  }
  await printResponse(response, requestId, flags);
  return flags.fail && response && !response.ok ? EXIT.status : EXIT.done;
}

/** Says how the request failed; what is no failure of a request is thrown on. */
function fail(error: unknown, spec: RequestSpec, { json }: SendFlags): ExitCode {
  const known = requestError(error);
  if (!known) {
    if (error instanceof CancelledFailure) throw new CliError('the request was cancelled');
    if (error instanceof ApplicationFailure) throw new CliError(`${error.type}: ${error.message}`);
    throw error;
  }
  if (json) printJson({ error: known });
  say(`${known.type}: ${known.message}`);
  if (mayHaveBeenProcessed(known, spec)) return EXIT.unknown;
  return known.type === 'HttpStatusError' ? EXIT.status : EXIT.failed;
}

/** Whoever sends such a request once more may do so twice. */
function mayHaveBeenProcessed({ type, phase }: WireError, spec: RequestSpec): boolean {
  if (type === 'OutcomeUnknownError') return true;
  if (phase !== 'sent' || type === 'HttpStatusError') return false;
  return !isSpecResendable(spec);
}

/** The flags over `--spec`. */
async function specOf(flags: SendFlags): Promise<Options> {
  const { header, form, timeout, idempotencyKey, callback, workflowId } = flags;
  if (workflowId !== undefined && !isRequestId(workflowId)) {
    const expected = 'expected 1 to 255 visible ASCII characters';
    throw new UsageError(`--workflow-id: ${expected}, got ${JSON.stringify(workflowId)}`);
  }
  const given = flags.spec === undefined ? {} : await readObject('--spec', flags.spec);
  if ('url' in given) throw new UsageError('--spec: expected no url beside <url>, got one');
  const spec = given as Options;
  return {
    ...spec,
    ...(header && { headers: { ...spec.headers, ...readPairs('--header', ':', header) } }),
    ...(flags.data !== undefined && (await bodyOf(flags.data))),
    ...(flags.dataJson !== undefined && { json: await readJson('--data-json', flags.dataJson) }),
    ...(form && { form: readPairs('--form', '=', form) }),
    ...(timeout !== undefined && { timeout }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
    ...(callback !== undefined && { callback: await callbackOf(callback) }),
    ...(workflowId !== undefined && { requestId: workflowId }),
  };
}

async function bodyOf(data: string): Promise<Pick<RequestSpec, 'body' | 'bodyBase64'>> {
  const bytes = await readBytes('--data', data);
  return isUtf8(bytes) ? { body: bytes.toString() } : { bodyBase64: bytes.toString('base64') };
}

async function callbackOf(text: string): Promise<NonNullable<RequestSpec['callback']>> {
  if (!text.startsWith('{')) return text;
  return (await readJson('--callback', text)) as NonNullable<RequestSpec['callback']>;
}
