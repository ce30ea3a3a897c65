import { AsyncLocalStorage } from 'node:async_hooks';
import {
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
} from '@opentelemetry/api';
import { defaultPayloadConverter } from '@temporalio/common';
import type { ActivityInterceptorsFactory } from '@temporalio/worker';
import type { TaskView } from '../processor/observers.ts';
import type { SendHooks, Transport, TransportResponse } from '../processor/transport.ts';
import { TRACE_HEADER } from '../shared/constants.ts';
import { RequestError } from '../shared/errors.ts';
import type { ResolvedRequest } from '../shared/resolved-request.ts';
import { redactUrl } from '../shared/url.ts';

const current = new AsyncLocalStorage<Context>();

/** What Temporal's interceptors have put into the header, for as long as the activity runs. */
export const traceInterceptor: ActivityInterceptorsFactory = () => ({
  inbound: {
    execute(input, next) {
      const header = input.headers[TRACE_HEADER];
      if (header === undefined) return next(input);
      const carrier = defaultPayloadConverter.fromPayload(header);
      return current.run(propagation.extract(ROOT_CONTEXT, carrier), () => next(input));
    },
  },
});

/** The trace that the activity belongs to; it goes with the request, which outlives the activity. */
export function captureTrace(): unknown {
  return current.getStore();
}

/**
 * A client span for each try, by OpenTelemetry's conventions for HTTP, as a child of what Temporal's
 * interceptors made for its activity. The tries of one request are siblings: each is an attempt.
 */
export class TracedTransport implements Transport {
  readonly #inner: Transport;
  readonly #tracer = trace.getTracer('patient-http');

  constructor(inner: Transport) {
    this.#inner = inner;
  }

  async send(request: ResolvedRequest, hooks: SendHooks): Promise<TransportResponse> {
    const { task } = hooks;
    if (!task) return this.#inner.send(request, hooks);
    const parent = (task.trace as Context | undefined) ?? ROOT_CONTEXT;
    const span = this.#tracer.startSpan(
      request.method,
      { kind: SpanKind.CLIENT, attributes: attributesOf(request, task) },
      parent,
    );
    try {
      const response = await this.#inner.send(withTrace(request, trace.setSpan(parent, span)), {
        ...hooks,
        onSent() {
          span.addEvent('sent');
          hooks.onSent();
        },
      });
      endWith(span, response);
      return response;
    } catch (error) {
      // The reason of an interruption is a word: `cancelled`, `returned`.
      const type = error instanceof RequestError ? error.type : String(error);
      span.setAttribute('error.type', type);
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  }

  close(options?: { force?: boolean }): Promise<void> {
    return this.#inner.close(options);
  }
}

function attributesOf(request: ResolvedRequest, task: TaskView): Attributes {
  const { hostname, port, protocol } = new URL(request.url);
  const { workflowId, runId, activityId } = task.key;
  const resends = task.tryNumber - 1;
  return {
    'http.request.method': request.method,
    'url.full': redactUrl(request.url),
    'server.address': hostname.replace(/^\[(.*)\]$/, '$1'),
    'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
    ...(resends > 0 && { 'http.request.resend_count': resends }),
    'patient.request_id': request.requestId,
    'patient.queue_wait_ms': Date.now() - task.acceptedAt,
    // As Temporal's interceptors name them.
    temporalWorkflowId: workflowId,
    temporalActivityId: activityId,
    run_id: runId,
  };
}

/**
 * The span's context goes on to the target, through its redirects; a user's own wins. Baggage stays
 * here: it can hold anything, and is not for every API.
 */
function withTrace(request: ResolvedRequest, context: Context): ResolvedRequest {
  const { headers, secrets } = request;
  if (headers['traceparent'] !== undefined || secrets?.headers['traceparent']) return request;
  const { baggage: _, ...carrier } = inject(context);
  return { ...request, headers: { ...carrier, ...headers } };
}

function inject(context: Context): Record<string, string> {
  const carrier: Record<string, string> = {};
  propagation.inject(context, carrier);
  return carrier;
}

function endWith(span: Span, { status, redirects }: TransportResponse): void {
  span.setAttribute('http.response.status_code', status);
  if (redirects.length > 0) span.setAttribute('patient.redirects', redirects.length);
  if (status < 400) return;
  span.setAttribute('error.type', String(status));
  span.setStatus({ code: SpanStatusCode.ERROR });
}
