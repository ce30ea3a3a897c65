import { describe, expect, it, test } from 'vitest';
import { optionsFromEnvironment } from '../../src/config/environment.ts';
import { optionsSchema, resolveOptions } from '../../src/config/options.ts';
import { serviceLinks } from '../support/service-links.ts';
import { configError, SECRET } from './refuse.ts';

const KEY = Buffer.alloc(32, 2).toString('base64');

describe('environment', () => {
  it('sets every option', () => {
    const env = {
      PATIENT_TASK_QUEUE: 'q',
      PATIENT_MAX_CONNECTIONS: '5',
      PATIENT_REQUEST_TIMEOUT: '5m',
      PATIENT_CONNECT_TIMEOUT: '250',
      PATIENT_MAX_RESPONSE_SIZE: '1000',
      PATIENT_MAX_REDIRECTS: '0',
      PATIENT_RAISE_ERROR_RESPONSES: 'true',
      PATIENT_IDLE_CONNECTION_TIMEOUT: '1s',
      PATIENT_MAX_IDLE_CONNECTIONS: '20',
      PATIENT_PROXY_URL: 'http://proxy.example:3128',
      PATIENT_NO_PROXY: '*.internal, 10.0.0.0/8',
      PATIENT_TLS_CA_FILE: 'ca.pem',
      PATIENT_TLS_CERT_FILE: 'cert.pem',
      PATIENT_TLS_KEY_FILE: 'key.pem',
      PATIENT_TLS_MIN_VERSION: 'TLSv1.3',
      PATIENT_USER_AGENT: 'me',
      PATIENT_REDIS_URL: 'redis://localhost',
      PATIENT_LEASE_TTL: '20s',
      PATIENT_SHUTDOWN_TIMEOUT: '10s',
      PATIENT_DRAIN_TIMEOUT: '1h',
      PATIENT_MAX_CRASHES: '2',
      PATIENT_BATCH_DIRECTORY: '/srv/batches',
      PATIENT_CALLBACK_TASK_QUEUE: 'callbacks',
      PATIENT_RETRY_MAXIMUM_ATTEMPTS: '4',
      PATIENT_RETRY_STATUSES: '500, 503',
      PATIENT_RETRY_INITIAL_INTERVAL: '2s',
      PATIENT_RETRY_BACKOFF_COEFFICIENT: '1.5',
      PATIENT_RETRY_MAXIMUM_INTERVAL: '3s',
      PATIENT_RETRY_MAX_RETRY_AFTER: '4s',
      PATIENT_ALLOW_PRIVATE_ADDRESSES: '1',
      PATIENT_ALLOW_ADDRESSES: '10.0.0.0/8,::1',
      PATIENT_ALLOW_HOSTS: 'api.internal, *.example',
      PATIENT_DENY_HOSTS: 'metadata.internal',
      PATIENT_COMPRESS: '1',
      PATIENT_ENCRYPTION_KEYS: `b:${KEY}, a:${KEY}`,
      PATIENT_PAYLOAD_STORE: 'file:///var/payloads',
      PATIENT_PAYLOAD_THRESHOLD: '1000',
      PATIENT_PAYLOAD_RETENTION: '90 days',
      PATIENT_SECRETS_DIRECTORY: '/run/secrets',
      PATIENT_FLOW: '{"api.example": {"rate": 10, "period": "1s"}}',
      PATIENT_MAX_WAITING: '50',
      PATIENT_LISTEN: '0.0.0.0:8080',
      PATIENT_METRICS: 'grpc://collector:4317',
      PATIENT_TRACING: 'true',
      PATIENT_DASHBOARD: 'true',
      PATIENT_TEMPORAL_UI: 'https://temporal.example.com',
      PATIENT_DEPLOYMENT_NAME: 'n',
      PATIENT_DEPLOYMENT_BUILD_ID: 'b',
      PATIENT_LOG_LEVEL: 'debug',
    };
    const options = optionsFromEnvironment(env);

    expect(options).toEqual({
      taskQueue: 'q',
      maxConnections: 5,
      requestTimeout: '5m',
      connectTimeout: '250',
      maxResponseSize: 1000,
      maxRedirects: 0,
      raiseErrorResponses: true,
      idleConnectionTimeout: '1s',
      maxIdleConnections: 20,
      proxyUrl: 'http://proxy.example:3128',
      noProxy: ['*.internal', '10.0.0.0/8'],
      tls: { caFile: 'ca.pem', certFile: 'cert.pem', keyFile: 'key.pem', minVersion: 'TLSv1.3' },
      userAgent: 'me',
      redisUrl: 'redis://localhost',
      leaseTtl: '20s',
      shutdownTimeout: '10s',
      drainTimeout: '1h',
      maxCrashes: 2,
      batchDirectory: '/srv/batches',
      callbackTaskQueue: 'callbacks',
      retry: {
        maximumAttempts: 4,
        statuses: [500, 503],
        initialInterval: '2s',
        backoffCoefficient: 1.5,
        maximumInterval: '3s',
        maxRetryAfter: '4s',
      },
      allowPrivateAddresses: true,
      allowAddresses: ['10.0.0.0/8', '::1'],
      allowHosts: ['api.internal', '*.example'],
      denyHosts: ['metadata.internal'],
      compress: true,
      encryptionKeys: [`b:${KEY}`, `a:${KEY}`],
      payloadStore: 'file:///var/payloads',
      payloadThreshold: 1000,
      payloadRetention: '90 days',
      secretsDirectory: '/run/secrets',
      flow: { 'api.example': { rate: 10, period: '1s' } },
      maxWaiting: 50,
      listen: '0.0.0.0:8080',
      metrics: 'grpc://collector:4317',
      tracing: true,
      dashboard: true,
      temporalUi: 'https://temporal.example.com',
      deployment: { name: 'n', buildId: 'b' },
      logLevel: 'debug',
    });
    expect(Object.keys(options)).toEqual(Object.keys(optionsSchema.shape));
    expect(resolveOptions(options).connectTimeout).toBe(250);
  });

  it('leaves alone what is empty, of others or for tests and scripts', () => {
    const env = {
      PATIENT_MAX_CONNECTIONS: '',
      PATIENT_LEASE_TTL: '',
      PATIENT_TEST_TARGET: 'x',
      PATIENT_CACHE_DIR: '/tmp',
      PATIENT_DASHBOARD_PASSWORD: 'x',
      PATIENT_DASHBOARD_TOKEN: 'x',
      TEMPORAL_ADDRESS: 'x',
      PATH: 'x',
    };

    expect(optionsFromEnvironment(env)).toEqual({});
  });

  test.each(['patient', 'patient-http', 'patient-redis-url'])(
    'leaves alone what Kubernetes says of a Service %s',
    (service) => {
      const ports = [
        { name: 'http', port: 8080 },
        { name: 'metrics', port: 9464 },
      ];
      const env = { ...serviceLinks(service, ports), PATIENT_TASK_QUEUE: 'q' };
      expect(Object.keys(env)).toHaveLength(14);

      expect(optionsFromEnvironment(env)).toEqual({ taskQueue: 'q' });
    },
  );

  it('refuses what only looks like it', () => {
    const env = { PATIENT_LISTEN_PORT: '8080', PATIENT_SERVICE: 'x', PATIENT_PORT_TCP: '80' };

    expect(configError(() => optionsFromEnvironment(env)).split('; ')).toEqual([
      'PATIENT_LISTEN_PORT: unknown variable',
      'PATIENT_SERVICE: unknown variable',
      'PATIENT_PORT_TCP: unknown variable',
    ]);
  });

  test.each([
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ])('%s is a boolean', (text, allowPrivateAddresses) => {
    const env = { PATIENT_ALLOW_PRIVATE_ADDRESSES: text };

    expect(optionsFromEnvironment(env)).toEqual({ allowPrivateAddresses });
  });

  it('names every wrong and unknown variable, and no secret', () => {
    const env = {
      PATIENT_MAX_CONNECTION: SECRET,
      PATIENT_SECRET_STRIPE: SECRET,
      PATIENT_REDIS_URL: `memcached://:${SECRET}@localhost`,
      PATIENT_RETRY: '3',
      PATIENT_RETRY_STATUSES: '500,x',
      PATIENT_ALLOW_ADDRESSES: '::1,nowhere',
      PATIENT_ENCRYPTION_KEYS: `a:${SECRET}`,
      PATIENT_PAYLOAD_STORE: `ftp://:${SECRET}@localhost`,
      PATIENT_DEPLOYMENT_NAME: 'n',
      PATIENT_MAX_CONNECTIONS: '0',
    };

    expect(configError(() => optionsFromEnvironment(env)).split('; ')).toEqual([
      'PATIENT_MAX_CONNECTION: unknown variable',
      'PATIENT_RETRY: unknown variable',
      'PATIENT_MAX_CONNECTIONS: expected an integer from 1, got 0',
      'PATIENT_REDIS_URL: expected a redis:// or rediss:// URL, got another string',
      'PATIENT_RETRY_STATUSES: expected an integer from 100 to 599, got "x"',
      'PATIENT_ALLOW_ADDRESSES: expected an address or CIDR such as 10.0.0.0/8, got "nowhere"',
      'PATIENT_ENCRYPTION_KEYS: key "a": expected 32 bytes in base64, got 4 bytes',
      'PATIENT_PAYLOAD_STORE: expected file:///folder, redis://…, rediss://…, s3://bucket or an ' +
        'object with name, put and get, got a string of 23 characters',
      'PATIENT_DEPLOYMENT_BUILD_ID: expected 1 to 1000 bytes, got undefined',
    ]);
  });
});
