import { z } from 'zod';
import { DEFAULT_TASK_QUEUE, DEFAULT_TIMEOUT } from '../shared/constants.ts';
import { ConfigError } from '../shared/errors.ts';
import { hostOrNetwork, hostPattern, listenAddress, networkOrPort } from './addresses.ts';
import { age, choice, duration, flag, integer, name } from './fields.ts';
import { flowLimitsSchema } from './flow.ts';
import { headerValue } from './headers.ts';
import { metricsUrl } from './metrics.ts';
import { formatProblems, problemsOf } from './problems.ts';
import { proxyUrl } from './proxy.ts';
import { retryDefaultsSchema } from './retry.ts';
import { encryptionKeys, payloadStore } from './payload.ts';
import { MAX_RESPONSE_SIZE } from './spec-schema.ts';
import { tlsSchema } from './tls.ts';

const redisUrl = z
  .string({ error: 'expected a redis:// or rediss:// URL' })
  .refine((text) => URL.canParse(text) && /^rediss?:$/.test(new URL(text).protocol), {
    error: 'expected a redis:// or rediss:// URL, got another string',
  });

/** Without a slash at its end, so that paths can be appended. */
const httpUrl = () =>
  z
    .string({ error: 'expected an http:// or https:// URL' })
    .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol), {
      error: 'expected an http:// or https:// URL',
    })
    .transform((text) => text.replace(/\/+$/, ''));

const deployment = z.strictObject(
  {
    name: name().describe("Worker Versioning: the deployment's name."),
    buildId: name().describe("Worker Versioning: this build's id."),
  },
  { error: 'expected { name, buildId }' },
);

/** Every option of a worker: its meaning, its unit and its default, here and nowhere else. */
export const optionsSchema = z.strictObject({
  taskQueue: name()
    .default(DEFAULT_TASK_QUEUE)
    .describe('Queue of the ready-made workflows; `<taskQueue>:requests` is derived from it.'),
  maxConnections: integer(1).default(1000).describe('Requests in flight at once, per process.'),
  requestTimeout: duration()
    .prefault(DEFAULT_TIMEOUT)
    .describe('One try: connect, send, all hops, full body.'),
  connectTimeout: duration().prefault('10s').describe('DNS, TCP and TLS.'),
  maxResponseSize: integer(1, MAX_RESPONSE_SIZE)
    .default(1024 * 1024)
    .describe('Bytes of a decoded response body; a larger one fails.'),
  maxRedirects: integer(0, 50).default(5).describe('Redirects followed; 0 delivers the 3xx.'),
  raiseErrorResponses: flag()
    .default(false)
    .describe('A status outside 2xx becomes `HttpStatusError`.'),
  idleConnectionTimeout: duration()
    .prefault('60s')
    .describe('How long an unused connection is kept.'),
  maxIdleConnections: integer(0)
    .default(1000)
    .describe(
      'Unused connections kept for more than a second, per process; those used longest ago go first.',
    ),
  proxyUrl: proxyUrl()
    .optional()
    .describe(
      'Proxy for all requests, `http://` or `https://`, with credentials if it wants some. ' +
        'Of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` nothing is read.',
    ),
  noProxy: z
    .array(hostOrNetwork(), { error: 'expected an array of hosts, addresses or CIDRs' })
    .prefault([])
    .describe('Hosts, `*.suffix`es, addresses and CIDRs that `proxyUrl` is not used for.'),
  tls: tlsSchema.prefault({}),
  userAgent: headerValue()
    .min(1, { error: 'expected at least one character' })
    .default('patient-http')
    .describe('`User-Agent` of requests that set none.'),
  redisUrl: redisUrl
    .optional()
    .describe(
      'Redis for liveness, `redis://` or `rediss://`. Without it crashes are found by Temporal ' +
        'heartbeats alone, and outcomes in hand die with their process.',
    ),
  leaseTtl: duration(1000)
    .prefault('10s')
    .describe('How long after its last sign of life a process counts as dead; needs `redisUrl`.'),
  shutdownTimeout: duration(0)
    .prefault('30s')
    .describe('How long a shutdown waits for responses before it hands requests over.'),
  drainTimeout: duration(0)
    .prefault('10m')
    .describe(
      'How long, in all, a shutdown waits for requests that may not be sent again; ' +
        'never shorter than `shutdownTimeout`.',
    ),
  maxCrashes: integer(0)
    .default(3)
    .describe('A request is given up when more processes than this have died with it.'),
  batchDirectory: name()
    .optional()
    .describe('Directory of the files of batches (`source.file`, `sink.file`); without it none.'),
  callbackTaskQueue: name().optional().describe('Queue of callback workflows given by name alone.'),
  retry: retryDefaultsSchema.prefault({}),
  allowPrivateAddresses: flag()
    .default(false)
    .describe('Allow requests to private, loopback and link-local addresses.'),
  allowAddresses: z
    .array(networkOrPort(), { error: 'expected an array of addresses or CIDRs' })
    .prefault([])
    .describe(
      'Private addresses allowed all the same, as addresses, CIDRs or, at one port alone, ' +
        '`10.0.0.5:8080`.',
    ),
  allowHosts: z
    .array(hostPattern(), { error: 'expected an array of hosts' })
    .prefault([])
    .describe('Hosts allowed at whatever address they have; `*.suffix` is every name below it.'),
  denyHosts: z
    .array(hostPattern(), { error: 'expected an array of hosts' })
    .prefault([])
    .describe('Hosts that are refused whatever their address, before all other rules.'),
  compress: flag()
    .default(false)
    .describe(
      "Compress payloads, in Temporal's `binary/zlib` form, where that makes them smaller.",
    ),
  encryptionKeys: encryptionKeys()
    .prefault([])
    .describe(
      'AES-256 keys, `{ id, key }` or `id:key`, the key in base64: the first encrypts payloads, all ' +
        'of them decrypt.',
    ),
  payloadStore: payloadStore()
    .optional()
    .describe(
      'Where large payloads go: `file:///folder`, `redis://…`, `s3://bucket/prefix`, in code also ' +
        'an object with `name`, `put`, `get`.',
    ),
  payloadThreshold: integer(1)
    .default(64 * 1024)
    .describe(
      'Bytes of an encoded payload above which it goes to `payloadStore`; what Temporal would not take ' +
        'goes there in any case.',
    ),
  payloadRetention: age()
    .optional()
    .describe(
      'Age, a day or more, at which a payload may go from its store; longer than any workflow and ' +
        "its namespace's retention together.",
    ),
  secretsDirectory: z
    .string({ error: 'expected the path of a directory' })
    .min(1, { error: 'expected the path of a directory' })
    .optional()
    .describe('Directory of secrets, one file each, as Docker and Kubernetes mount them.'),
  flow: flowLimitsSchema
    .prefault({})
    .describe(
      'Limits by host or `flow.key`: `{ rate, period, burst, concurrency, breaker }`, shared by all ' +
        'processes of the queue with `redisUrl`. In the environment as JSON.',
    ),
  maxWaiting: integer(1)
    .default(1000)
    .describe('Requests that wait for their flow key, per process; more wait in Temporal.'),
  listen: listenAddress()
    .optional()
    .describe(
      'Address for health probes (`/healthz`, `/readyz`), as `host:port`; port 0 is any free one. ' +
        'Without it nothing listens.',
    ),
  metrics: metricsUrl()
    .optional()
    .describe(
      'Where `patient worker` has its metrics and those of Temporal: `prometheus://address:port` to be ' +
        'scraped, or an OTLP collector, `grpc://`, `grpcs://`, `http://` or `https://`. In a process ' +
        'of yours its Runtime decides.',
    ),
  tracing: flag()
    .default(false)
    .describe(
      'A span for each try, with the tracer provider that is registered with `@opentelemetry/api`; ' +
        '`patient worker` registers one if there is none and `@opentelemetry/sdk-node` is installed.',
    ),
  dashboard: flag()
    .default(false)
    .describe(
      'Serve the dashboard at `listen`. It is read-only and for this machine alone unless ' +
        '`PATIENT_DASHBOARD_PASSWORD` or `PATIENT_DASHBOARD_TOKEN` is set.',
    ),
  temporalUi: httpUrl()
    .optional()
    .describe("Address of Temporal's UI, for the dashboard's links to workflows."),
  deployment: deployment.optional(),
  logLevel: choice(['trace', 'debug', 'info', 'warn', 'error'])
    .default('info')
    .describe('Least severe level logged.'),
});

/** Options as a user writes them; all have defaults, see [the table](../options.md). */
export type PatientOptions = z.input<typeof optionsSchema>;

/** Durations in ms, sizes in bytes, addresses as CIDRs, hosts as URLs have them. */
export type ResolvedOptions = Readonly<z.output<typeof optionsSchema>>;

/** The options that a spec's own fields override. */
export type RequestDefaults = Pick<
  ResolvedOptions,
  | 'requestTimeout'
  | 'connectTimeout'
  | 'maxResponseSize'
  | 'maxRedirects'
  | 'raiseErrorResponses'
  | 'retry'
>;

/** @throws ConfigError */
export function resolveOptions(input: PatientOptions = {}): ResolvedOptions {
  const parsed = optionsSchema.safeParse(input);
  if (!parsed.success) {
    throw new ConfigError(formatProblems(problemsOf(parsed.error.issues, input), 'options'));
  }
  const options = parsed.data;
  checkAge(options);
  if (options.dashboard && !options.listen) {
    throw new ConfigError('dashboard: expected `listen`, the address to serve it at, got none');
  }
  options.drainTimeout = Math.max(options.drainTimeout, options.shutdownTimeout);
  const { payloadStore: _, ...own } = options;
  deepFreeze(own);
  // A store of the user's has a state of its own.
  return Object.freeze(options);
}

/** An age that nothing would be deleted at. */
function checkAge({ payloadStore, payloadRetention }: ResolvedOptions): void {
  if (payloadRetention === undefined) return;
  const refuse = (store: string, help: string): never => {
    throw new ConfigError(
      `payloadRetention: expected none with ${store}, got ${payloadRetention} ms; ${help}`,
    );
  };
  if (typeof payloadStore === 'object' && !payloadStore.expire) {
    refuse('a payloadStore that has no expire', 'give it one');
  }
  if (String(payloadStore).startsWith('s3:')) {
    refuse('an s3:// payloadStore', 'give the bucket a lifecycle rule');
  }
}

/** Objects of a class, such as keys, are not ours to freeze. */
function deepFreeze(value: object): void {
  const { constructor } = value;
  if (constructor !== Object && constructor !== Array) return;
  for (const item of Object.values(value)) {
    if (typeof item === 'object' && item !== null) deepFreeze(item as object);
  }
  Object.freeze(value);
}
