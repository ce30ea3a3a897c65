import { isUtf8 } from 'node:buffer';
import { writeFile } from 'node:fs/promises';
import type { PatientResponse } from '../shared/response.ts';
import { CliError } from './failure.ts';
import { printJson, say } from './output.ts';

export interface ResponseFlags {
  include?: boolean | undefined;
  output?: string | undefined;
  json?: boolean | undefined;
}

/** The body as it came; `--include` puts the head before it, `--json` prints the whole as JSON. */
export async function printResponse(
  response: PatientResponse | null,
  requestId: string,
  { include, output, json }: ResponseFlags,
): Promise<void> {
  if (response && output !== undefined) await save(response, requestId, output);
  if (json) return printJson(response);
  if (!response) return say('done; the workflow keeps no response (result: none)');
  if (include) process.stdout.write(head(response));
  if (output === undefined) printBody(response, requestId);
}

async function save(response: PatientResponse, requestId: string, file: string): Promise<void> {
  try {
    await writeFile(file, response.bytes());
  } catch (cause) {
    const message = `--output: cannot write ${JSON.stringify(file)}; workflow ${requestId} has the body`;
    throw new CliError(message, { cause });
  }
}

function head({ status, headers }: PatientResponse): string {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((each) => `${name}: ${each}`),
  );
  return [`HTTP ${status}`, ...lines, '', ''].join('\n');
}

function printBody(response: PatientResponse, requestId: string): void {
  const bytes = response.bytes();
  const { isTTY } = process.stdout;
  if (isTTY && !isText(bytes)) {
    say(
      `the body is ${bytes.length} bytes that are no text: the same command with ` +
        `--workflow-id ${requestId} -o FILE writes them to a file`,
    );
    return;
  }
  process.stdout.write(bytes);
  if (isTTY && bytes.length > 0 && bytes.at(-1) !== 0x0a) process.stdout.write('\n');
}

/** What a terminal shows, and does not obey. */
function isText(bytes: Uint8Array): boolean {
  return isUtf8(bytes) && !/[^\P{Cc}\t\r\n]/u.test(Buffer.from(bytes).toString());
}
