/** What the process's exit code says; documented in `patient --help` and docs/cli.md. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  unknown: 4,
  status: 5,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_MEANINGS: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [EXIT.done, 'done'],
  [EXIT.failed, 'failed: the request, some of a batch, a check, a setting, a connection'],
  [EXIT.usage, 'wrong arguments; nothing was done'],
  [EXIT.notFound, 'there is no such request or process'],
  [EXIT.unknown, 'nobody knows how the request ended; it may have been processed'],
  [EXIT.status, 'a status outside 2xx, with --fail or raiseErrorResponses'],
  [EXIT.interrupted, 'interrupted; what was started goes on'],
];
