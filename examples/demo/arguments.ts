import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HELP = `Usage: npm run demo -- [file] [--sample <n>] [--crash]

Sends the requests of a file through Patient HTTP, on a Temporal server started for the purpose.

  file          JSON lines, each a RequestSpec, or a list of URLs, one a line
                (default: examples/requests.jsonl, 1,000 calls of 2 to 5 s to a slow API of our own)
  --sample <n>  GET requests that are sent once more by a plain fetch activity, for comparison
                (default: 300 when all go to the demo's own API, else 0)
  --crash       two worker processes on Redis, one of them killed (SIGKILL) once the API has seen
                half of the calls; needs redis-server, and calls to the demo's own API
  --help        this text

Exit code 0: every call and every callback arrived, and nothing was sent again that may not be.`;

/** Wrong usage, as opposed to a file that is wrong. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface DemoArguments {
  file: string;
  sample: number | undefined;
  crash: boolean;
}

/** Undefined when all that was wanted is the help text. @throws UsageError */
export function readArguments(args: string[]): DemoArguments | undefined {
  const { values, positionals } = parse(args);
  if (values.help) {
    console.log(HELP);
    return undefined;
  }
  const [file = defaultFile(), ...more] = positionals;
  if (more.length) throw new UsageError(`expected one file, got ${positionals.length}`);
  if (values.sample !== undefined && !/^\d{1,5}$/.test(values.sample)) {
    throw new UsageError(`--sample: expected a number, got ${JSON.stringify(values.sample)}`);
  }
  const { sample, crash = false } = values;
  return { file, crash, sample: sample === undefined ? undefined : Number(sample) };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        sample: { type: 'string' },
        crash: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message, { cause: error });
  }
}

/** Seen from dist/examples/demo. */
function defaultFile(): string {
  return fileURLToPath(new URL('../../../examples/requests.jsonl', import.meta.url));
}
