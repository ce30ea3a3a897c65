import type { Command } from 'commander';
import { METHODS, type Method } from '../../shared/constants.ts';
import type { SendFlags } from '../actions/send.ts';

/** `patient get|head|post|put|patch|delete URL` */
export function addRequestCommands(program: Command): void {
  for (const method of METHODS) addRequestCommand(program, method);
}

function addRequestCommand(program: Command, method: Method): void {
  const name = method.toLowerCase();
  const command = program
    .command(`${name} <url>`)
    .description(
      `send a ${method} request, wait, print ${method === 'HEAD' ? 'status and headers' : 'the body'}`,
    )
    .option('-H, --header <name: value>', 'a header; repeat it for more', collect);
  if (method !== 'GET' && method !== 'HEAD') {
    command
      .option('-d, --data <text>', 'body as it is; @FILE and @- (standard input) may be binary')
      .option('--data-json <json>', 'JSON body; @FILE, @-')
      .option('--form <name=value>', 'form field, URL-encoded; repeat it for more', collect);
  }
  if (method !== 'HEAD') {
    command
      .option('-o, --output <file>', 'write the body to a file')
      .option('-i, --include', 'print status and headers before the body');
  }
  command
    .option('--spec <json>', 'any other field of a RequestSpec, as JSON; @FILE, @-')
    .option('--timeout <duration>', 'of one try, such as 90s or 5m')
    .option('--idempotency-key [key]', 'may be sent again; without a key the request id is it')
    .option('--callback <workflow>', 'workflow that gets the outcome: its name, or JSON')
    .option('--workflow-id <id>', 'the same one twice is one request: attaches to it')
    .option('--detach', 'print the workflow id instead of waiting')
    .option('-f, --fail', 'exit code 5 for a status outside 2xx; prints the body all the same')
    .option('--json', 'print the whole response as JSON, or { error }')
    .option('--cancel-on-interrupt', 'Ctrl-C cancels the request instead of leaving it')
    .addHelpText('after', helpFor(method))
    .action(async (url: string, flags: SendFlags) => {
      const { send } = await import('../actions/send.ts');
      process.exitCode = await send(method, url, flags);
    });
}

function helpFor(method: Method): string {
  const name = method.toLowerCase();
  const url = 'https://api.example.com/orders/17';
  const body = `  $ patient ${name} ${url} --data-json '{"paid": true}' --idempotency-key
  $ patient ${name} ${url} -d @photo.jpg -H 'content-type: image/jpeg'`;
  const more = method === 'GET' || method === 'HEAD' ? `  $ patient ${name} ${url} -i -f` : body;
  return `
Ctrl-C leaves the request to the workers and says how to come back to it. Headers end in the
workflow's history; a secret is named in --spec and known to the worker alone.

Examples:
  $ patient ${name} ${url} --timeout 5m
${more}
  $ patient ${name} ${url} --workflow-id order-17 --detach
  $ patient ${name} ${url} --spec '{"headers": {"authorization": {"$secret": "KEY", "prefix": "Bearer "}}}'`;
}

function collect(value: string, values: string[] = []): string[] {
  return [...values, value];
}
