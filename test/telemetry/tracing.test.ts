import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { context, propagation, SpanKind, trace } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
  type ReadableSpan,
} from '@opentelemetry/sdk-trace-node';
import { Client } from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { makeWorkflowExporter } from '@temporalio/interceptors-opentelemetry';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { PatientClient } from '../../src/client.ts';
import type { BatchResult, RequestSpec, WireResponse } from '../../src/index.ts';
import { freePorts } from '../../src/testing/free-ports.ts';
import { run } from '../cli/process.ts';
import { startFleet } from '../redis/fleet.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';

const require = createRequire(import.meta.url);
const workflowModules = [
  require.resolve('@temporalio/interceptors-opentelemetry/lib/workflow-interceptors'),
];
const TRACE = '0af7651916cd43dd8448eb211c80319c';

/** The header goes through the codec like everything else. */
const KEY = Buffer.alloc(32, 1).toString('base64');

const exporter = new InMemorySpanExporter();
/** Of workflows as of requests: the sink's spans are those of an older SDK, alike in what is read. */
const workflowExporter = makeWorkflowExporter(exporter as never, {} as never);

/** A worker of the user's, with Temporal's interceptors, and ours, which knows nothing of them. */
const user = {
  workflowsPath: fileURLToPath(new URL('../temporal/workflows/', import.meta.url)),
  interceptors: { workflowModules },
  sinks: { exporter: { ...workflowExporter } },
};
let env: Environment;

beforeAll(async () => {
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
  env = await startEnvironment({
    tracing: true,
    user,
    encryptionKeys: [`a:${KEY}`],
  });
});
afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
  trace.disable();
  context.disable();
  propagation.disable();
});
beforeEach(() => exporter.reset());

/** Of requests, in the order of their start. */
function clientSpans(): ReadableSpan[] {
  const spans = exporter.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CLIENT);
  return spans.sort((a, b) => a.startTime[0] - b.startTime[0] || a.startTime[1] - b.startTime[1]);
}

/** Waits for it: what a workflow exports comes when its task is done. */
function parentOf(span: ReadableSpan): Promise<ReadableSpan> {
  const { parentSpanContext, parentSpanId } = span as ReadableSpan & { parentSpanId?: string };
  const parentId = parentSpanContext?.spanId ?? parentSpanId;
  return waitFor(() =>
    exporter.getFinishedSpans().find((each) => each.spanContext().spanId === parentId),
  );
}

function traceparent(span: ReadableSpan): string {
  const { traceId, spanId } = span.spanContext();
  return `00-${traceId}-${spanId}-01`;
}

function sentTo(path: string): (string | string[] | undefined)[] {
  return env.target.hits
    .filter((hit) => hit.path.startsWith(path))
    .map(({ headers }) => headers['traceparent']);
}

function send(spec: RequestSpec): Promise<WireResponse> {
  return env.run('inlineRequest', [spec, env.taskQueue]);
}

test('each try is a client span under what scheduled it, and the target is told which', async () => {
  const url = env.target.url('/flaky/traced/1?key=hidden');
  const { requestId } = await send({ url, retry: { initialInterval: 1 } });
  const [first, second, ...more] = clientSpans();
  expect(more).toEqual([]);
  const { hostname, port, host } = new URL(url);
  expect(first!.name).toBe('GET');
  expect(first!.attributes).toMatchObject({
    'http.request.method': 'GET',
    'url.full': `http://${host}/flaky/traced/1`,
    'server.address': hostname,
    'server.port': Number(port),
    'http.response.status_code': 503,
    'error.type': '503',
    'patient.request_id': requestId,
  });
  expect(first!.events.map(({ name }) => name)).toEqual(['sent']);
  expect(second!.attributes).toMatchObject({
    'http.request.resend_count': 1,
    'http.response.status_code': 200,
  });
  expect(second!.attributes).not.toHaveProperty('error.type');
  expect(JSON.stringify([first!.attributes, second!.attributes])).not.toContain('hidden');

  const [parent, same] = await Promise.all([parentOf(first!), parentOf(second!)]);
  expect(parent.name).toBe('StartActivity:submitRequest');
  expect(same).toBe(parent);
  const root = await parentOf(parent);
  expect(root.name).toBe('RunWorkflow:inlineRequest');
  expect(first!.spanContext().traceId).toBe(root.spanContext().traceId);
  expect(sentTo('/flaky/traced')).toEqual([traceparent(first!), traceparent(second!)]);
});

test('through a ready-made child workflow, and along its redirects', async () => {
  await env.run('childGet', [env.target.url('/redirect/2'), env.taskQueue]);
  const [span, ...more] = clientSpans();
  expect(more).toEqual([]);
  expect(span!.attributes['patient.redirects']).toBe(2);
  expect((await parentOf(span!)).name).toBe('StartChildWorkflow:patientGet');
  for (const path of ['/redirect/2', '/redirect/1'])
    expect(sentTo(path)).toEqual([traceparent(span!)]);
});

test("items of a batch are spans of its caller's trace", async () => {
  const requests = [1, 2, 3].map((index) => ({ url: env.target.url(`/status/200?item${index}`) }));
  const batch = { requests, chunkSize: 2 };
  const result = await env.run<BatchResult>('childBatch', [batch, env.taskQueue]);
  expect(result.succeeded).toBe(3);
  const spans = clientSpans();
  expect(spans).toHaveLength(3);
  const parents = await Promise.all(spans.map(parentOf));
  expect(new Set(parents).size).toBe(1);
  expect(parents[0]!.name).toBe('StartChildWorkflow:patientBatch');
  expect(new Set(sentTo('/status/200?item'))).toEqual(new Set(spans.map(traceparent)));
});

test('an error and a cancel end the span', async () => {
  const refused = await freeUrl();
  await send({ url: refused, retry: { maximumAttempts: 1 } }).catch(() => undefined);
  const handle = await env.patient.submit.get(env.target.url('/hold?cancelled'));
  await env.target.waitFor(({ inFlight }) => inFlight === 1);
  await handle.cancel();
  await expect(handle.result()).rejects.toThrow();
  await waitFor(() => clientSpans().length === 2);
  expect(clientSpans().map(({ attributes }) => attributes['error.type'])).toEqual([
    'ConnectionError',
    'cancelled',
  ]);
});

test("a user's own traceparent wins", async () => {
  const own = `00-${TRACE}-b7ad6b7169203331-01`;
  await send({ url: env.target.url('/status/200?own'), headers: { traceparent: own } });
  expect(sentTo('/status/200?own')).toEqual([own]);
});

test('of what a client starts, state is sent on and baggage is not', async () => {
  const carrier = {
    traceparent: `00-${TRACE}-b7ad6b7169203331-01`,
    tracestate: 'vendor=1',
    baggage: 'customer=42',
  };
  const header = { '_tracer-data': defaultPayloadConverter.toPayload(carrier) };
  const client = new Client({
    ...env.client.options,
    interceptors: {
      workflow: [
        {
          start: (input, next) => next({ ...input, headers: { ...input.headers, ...header } }),
        },
      ],
    },
  });
  const patient = new PatientClient({ client, taskQueue: env.taskQueue });
  await patient.get(env.target.url('/status/200?state'));
  const [span] = clientSpans();
  expect(span!.parentSpanContext).toMatchObject({ traceId: TRACE, spanId: 'b7ad6b7169203331' });
  const { headers } = env.target.hits.find(({ path }) => path.endsWith('?state'))!;
  expect(headers).toMatchObject({ traceparent: traceparent(span!), tracestate: 'vendor=1' });
  expect(headers).not.toHaveProperty('baggage');
});

test('a crash: the next attempt is a span under the same parent', async () => {
  await using fleet = await startFleet();
  const folder = await mkdtemp(join(tmpdir(), 'patient-spans-'));
  const file = join(folder, 'spans.jsonl');
  const settings = {
    PATIENT_TRACING: 'true',
    PATIENT_ENCRYPTION_KEYS: `a:${KEY}`,
    NODE_OPTIONS: importing('file-spans.mjs'),
    SPANS_FILE: file,
  };
  try {
    const victim = await fleet.worker(settings);
    // The user's worker runs here, ours in the processes.
    const response = env.run<WireResponse>('inlineRequest', [
      { url: fleet.target.url('/hold') },
      fleet.taskQueue,
    ]);
    await fleet.target.waitFor(({ inFlight }) => inFlight === 1);
    await fleet.worker(settings);
    victim.kill('SIGKILL');
    await fleet.target.waitFor(({ hits }) => hits.length === 2);
    fleet.target.release();
    expect(await response).toMatchObject({ status: 200, attempt: 1 });
    const spans = await waitFor(() => readSpans(file));
    expect(spans).toHaveLength(1);
    const [span] = spans;
    const parent = await waitFor(() =>
      exporter.getFinishedSpans().find((each) => each.spanContext().spanId === span!.parent),
    );
    expect(parent.name).toBe('StartActivity:submitRequest');
    expect(parent.spanContext().traceId).toBe(span!.traceId);
    const sent = fleet.target.hits.map(({ headers }) => String(headers['traceparent']).split('-'));
    expect(sent.map(([, traceId]) => traceId)).toEqual([span!.traceId, span!.traceId]);
    expect(sent[1]![2]).toBe(span!.spanId);
    expect(sent[0]![2]).not.toBe(span!.spanId);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the worker command starts the SDK that is installed', async () => {
  const received: string[] = [];
  // Beside an API, that of a collector.
  const handler = (request: IncomingMessage, response: ServerResponse): boolean => {
    if (request.url !== '/v1/traces') return false;
    void text(request).then((body) => received.push(body));
    response.end('{}');
    return true;
  };
  await using fleet = await startFleet({ target: { handler } });
  await fleet.worker({
    PATIENT_TRACING: 'true',
    OTEL_EXPORTER_OTLP_ENDPOINT: fleet.target.url('/'),
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
    OTEL_BSP_SCHEDULE_DELAY: '100',
  });
  await fleet.patient.get(fleet.target.url('/status/200'));
  const spans = await waitFor(() => received[0]);
  expect(spans).toContain('"patient.request_id"');
  expect(spans).toContain('{"stringValue":"patient-http"}');
});

test('without an SDK it says what to install', async () => {
  const { code, stderr } = await run(['dist/src/cli/main.js', 'worker'], {
    TEMPORAL_ADDRESS: env.address,
    PATIENT_TRACING: 'true',
    NODE_OPTIONS: importing('without-sdk.mjs'),
  });
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^patient: PATIENT_TRACING: install @opentelemetry\/api and @opentelemetry/,
  );
});

function importing(module: string): string {
  return `--import=${new URL(module, import.meta.url).href}`;
}

function readSpans(
  file: string,
): { traceId: string; spanId: string; parent: string }[] | undefined {
  try {
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    return lines.map(
      (line) => JSON.parse(line) as { traceId: string; spanId: string; parent: string },
    );
  } catch {
    return undefined;
  }
}

async function freeUrl(): Promise<string> {
  return `http://127.0.0.1:${(await freePorts([undefined]))[0]}/`;
}
