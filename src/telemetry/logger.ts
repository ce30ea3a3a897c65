import type { Logger, LogLevel, LogMetadata } from '@temporalio/common';
import { pino, stdTimeFunctions } from 'pino';
import { formatLine } from './log-line.ts';
import { loggable } from './loggable.ts';

export interface LoggerOptions {
  /** Least severe level that is written. */
  level: Lowercase<LogLevel>;
  /** Default: standard error, for standard output belongs to results. */
  stream?: LogStream;
}

/** Gets whole lines: JSON, or on a terminal text for people. */
export interface LogStream {
  write(line: string): unknown;
  isTTY?: boolean;
}

/**
 * Temporal's `Logger` for `Runtime.install({ logger })`. Errors keep their causes and gRPC codes;
 * what looks like a secret is left out.
 */
export function createLogger({ level, stream = process.stderr }: LoggerOptions): Logger {
  const lines = stream.isTTY
    ? { write: (line: string) => stream.write(formatLine(line)) }
    : { write: (line: string) => stream.write(line) };
  const options = {
    level,
    base: null,
    messageKey: 'message',
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const sink = pino(options, lines);
  const write = (to: Lowercase<LogLevel>, message: string, meta: LogMetadata = {}): void => {
    if (sink.isLevelEnabled(to)) sink[to](loggable(meta), message);
  };
  return {
    log: (to, message, meta) => write(to.toLowerCase() as Lowercase<LogLevel>, message, meta),
    trace: (message, meta) => write('trace', message, meta),
    debug: (message, meta) => write('debug', message, meta),
    info: (message, meta) => write('info', message, meta),
    warn: (message, meta) => write('warn', message, meta),
    error: (message, meta) => write('error', message, meta),
  };
}
