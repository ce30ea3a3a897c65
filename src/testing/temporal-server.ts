import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { endWithUs } from './end-with-us.ts';
import { freePorts } from './free-ports.ts';
import { findTemporalCli } from './temporal-cli.ts';

const READY_TIMEOUT = 30_000;
const STOP_TIMEOUT = 10_000;
const PORT_TRIES = 3;
/** With a panic's first line. */
const TAIL_LINES = 60;
/**
 * A development server is one shard, whose cache of events holds 512 KB. With more scheduled at
 * once its CPU per activity more than doubles; a production server has hundreds of shards.
 */
const DYNAMIC_CONFIG = { 'history.eventsCacheMaxSizeBytes': String(64 * 1024 * 1024) };

/** How the development server is started. */
export interface TemporalServerOptions {
  /** Path of the Temporal CLI. @default found by {@link findTemporalCli} */
  cli?: string;
  /** Port of the server; give it, with `dbFilename`, to start a stopped server again. @default a free one */
  port?: number;
  /** Whether the web UI runs too, or on which port. @default false */
  ui?: boolean | number;
  /** Whether it serves its metrics. @default false */
  metrics?: boolean;
  /** File that holds the server's state. @default in memory, gone with the process */
  dbFilename?: string;
  /** Namespace that exists when it is up. @default 'default' */
  namespace?: string;
  /** Server settings by name, values as JSON: `{ 'matching.enableFairness': 'true' }`. */
  dynamicConfig?: Record<string, string>;
  /** Search attributes to register, by name: `{ customer: 'Keyword' }`. */
  searchAttributes?: Record<string, string>;
  /** Gets each line the server prints. @default nobody */
  log?: (line: string) => void;
}

/** A Temporal development server of its own, in a process of its own. */
export interface TemporalServer extends AsyncDisposable {
  /** `127.0.0.1:<port>`, ready for `Connection.connect({ address })`. */
  readonly address: string;
  readonly port: number;
  readonly namespace: string;
  /** Undefined without a UI. */
  readonly uiUrl: string | undefined;
  /** For Prometheus; undefined without metrics. */
  readonly metricsUrl: string | undefined;
  readonly pid: number;
  /** Stops it (SIGTERM, then SIGKILL after 10 s); idempotent. */
  stop(): Promise<void>;
  /** Kills it on the spot, for fault tests; resolves when it is gone. */
  kill(): Promise<void>;
}

/**
 * Starts `temporal server start-dev` on 127.0.0.1 and waits until its namespace answers.
 * The server ends with this process, however that ends.
 *
 * @example
 * await using server = await startTemporalServer();
 * const connection = await Connection.connect({ address: server.address });
 */
export async function startTemporalServer(
  options: TemporalServerOptions = {},
): Promise<TemporalServer> {
  const cli = options.cli ?? (await findTemporalCli()).path;
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(cli, options);
    } catch (error) {
      // Between the system naming a free port and the server taking it, somebody else may; the server
      // gives its services ports in the same way, and panics.
      const raced = options.port === undefined && String(error).includes('address already in use');
      const panicked = String(error).includes('panic: ');
      if ((!raced && !panicked) || attempt === PORT_TRIES) throw error;
    }
  }
}

async function start(cli: string, options: TemporalServerOptions): Promise<TemporalServer> {
  const namespace = options.namespace ?? 'default';
  const { ui, metrics } = options;
  const wanted = [options.port, ui === true ? undefined : ui || undefined, undefined];
  const [port = 0, uiPort, metricsPort] = await freePorts(wanted);
  const args = ['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(port)];
  args.push('--namespace', namespace, '--log-level', 'error');
  args.push(...(ui ? ['--ui-port', String(uiPort)] : ['--headless']));
  if (metrics) args.push('--metrics-port', String(metricsPort));
  if (options.dbFilename) args.push('--db-filename', options.dbFilename);
  for (const [key, value] of Object.entries({ ...DYNAMIC_CONFIG, ...options.dynamicConfig }))
    args.push('--dynamic-config-value', `${key}=${value}`);
  for (const [key, value] of Object.entries(options.searchAttributes ?? {}))
    args.push('--search-attribute', `${key}=${value}`);

  // A process group of its own: Ctrl-C is for us, who stop the server after what uses it.
  const child = spawn(cli, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const tail = tailOf(child, options.log);
  const gone = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(`it ended with ${signal ?? `code ${code}`}`));
  });
  const released = endWithUs(child, gone);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT);
    await gone;
    clearTimeout(timer);
    await released;
  };

  const address = `127.0.0.1:${port}`;
  const failure = await Promise.race([gone, answers(port, namespace, child)]);
  if (failure !== undefined) {
    await end('SIGKILL');
    throw new Error(
      `The Temporal server on ${address} did not start: ${failure}. ` +
        `It printed last:\n${tail().join('\n') || '(nothing)'}`,
    );
  }
  return {
    address,
    port,
    namespace,
    uiUrl: ui ? `http://127.0.0.1:${uiPort}` : undefined,
    metricsUrl: metrics ? `http://127.0.0.1:${metricsPort}/metrics` : undefined,
    pid: child.pid ?? 0,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    [Symbol.asyncDispose]: () => end('SIGTERM'),
  };
}

function tailOf(child: ChildProcess, log: ((line: string) => void) | undefined): () => string[] {
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n').filter(Boolean)) {
        log?.(line);
        lines.push(line);
      }
      lines.splice(0, lines.length - TAIL_LINES);
    });
  }
  return () => lines;
}

/** Undefined when the namespace answers; why not, when the time is over. */
async function answers(
  port: number,
  namespace: string,
  child: ChildProcess,
): Promise<string | undefined> {
  const deadline = Date.now() + READY_TIMEOUT;
  let last: unknown = 'nothing listened';
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    try {
      await listens(port);
      const connection = await Connection.connect({
        address: `127.0.0.1:${port}`,
        connectTimeout: deadline - Date.now(),
      });
      try {
        await connection.withDeadline(deadline, () =>
          connection.workflowService.describeNamespace({ namespace }),
        );
        return undefined;
      } finally {
        await connection.close();
      }
    } catch (error) {
      last = error;
      await delay(50);
    }
  }
  return `no answer in ${READY_TIMEOUT / 1000} s (${String(last)})`;
}

/** A bare connect first: a gRPC channel that was refused once waits a second before it retries. */
async function listens(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}
