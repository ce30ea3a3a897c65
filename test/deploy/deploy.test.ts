import { execFile, spawnSync } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { optionsFromEnvironment } from '../../src/config/environment.ts';
import { resolveOptions } from '../../src/config/options.ts';
import { METRICS } from '../../src/telemetry/metrics.ts';
import { healthRoutes } from '../../src/web/health.ts';
import { WebServer } from '../../src/web/server.ts';
import { serviceLinks, type ServicePort } from '../support/service-links.ts';
import { composeProblem, kubernetesProblems, readYaml } from './yaml.ts';

// Python's packages may have to be downloaded.
vi.setConfig({ testTimeout: 300_000 });

const path = (relative: string): string =>
  fileURLToPath(new URL(`../../${relative}`, import.meta.url));
const run = promisify(execFile);
const { drainTimeout } = resolveOptions();

interface Container {
  env: { name: string; value?: string }[];
  ports: { name: string; containerPort: number }[];
  [probe: `${string}Probe`]: { httpGet: { path: string; port: string } };
}
interface Deployment {
  kind: 'Deployment';
  metadata: { name: string };
  spec: {
    replicas: number;
    template: {
      spec: {
        terminationGracePeriodSeconds: number;
        enableServiceLinks: boolean;
        containers: [Container];
      };
    };
  };
}
interface Service {
  kind: 'Service';
  metadata: { name: string };
  spec: { ports: ServicePort[] };
}
interface Dashboard {
  panels: { title: string; targets?: { expr: string }[] }[];
}

function promtool(...args: string[]): string {
  const { error, status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  if (error) {
    throw new Error(
      'No promtool on the PATH: `apt-get download prometheus && dpkg -x prometheus_*.deb . && ' +
        'install usr/bin/promtool /usr/local/bin`',
      { cause: error },
    );
  }
  expect(status, stdout + stderr).toBe(0);
  return stdout;
}

/** By the titles of their panels; as Grafana asks them for everything, over 5 minutes. */
async function queries(): Promise<[title: string, expr: string][]> {
  const text = await readFile(path('deploy/grafana.json'), 'utf8');
  const { panels } = JSON.parse(text) as Dashboard;
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }): [string, string] => [
      title,
      expr
        .replaceAll('$__rate_interval', '5m')
        .replaceAll('$namespace', '.*')
        .replaceAll('$task_queue', '.*'),
    ]),
  );
}

/** What promtool says, with `content` in a file. */
async function promtoolOn(content: object, ...args: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'patient-promtool-'));
  try {
    const file = join(folder, 'file.yaml');
    // JSON is YAML.
    await writeFile(file, JSON.stringify(content));
    return promtool(...args, file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('Prometheus', () => {
  test('the rules are rules, and say what they must', () => {
    expect(promtool('check', 'rules', path('deploy/alerts.yaml'))).toContain('SUCCESS');
    expect(promtool('test', 'rules', path('test/deploy/alerts-test.yaml'))).toContain('SUCCESS');
  });

  test("the dashboard's queries are queries, each of one namespace and queue", async () => {
    const text = await readFile(path('deploy/grafana.json'), 'utf8');
    const filter = /\bpatient_\w+\{namespace=~\\"\$namespace\\", task_queue=~\\"\$task_queue\\"/g;
    const queue = /label_values\(patient_\w+/g;
    expect(text.match(/\bpatient_\w+/g)).toHaveLength(
      text.match(filter)!.length + text.match(queue)!.length,
    );
    const rules = (await queries()).map(([, expr], index) => ({ record: `panel:${index}`, expr }));
    expect(await promtoolOn({ groups: [{ name: 'p', rules }] }, 'check', 'rules')).toContain(
      `${rules.length} rules found`,
    );
  });

  test('a panel counts the first of its kind, also of a process that is gone', async () => {
    const exprOf = new Map(await queries());
    const labels = 'namespace="n", task_queue="q", host="h", type="OutcomeUnknownError"';
    const input_series = [
      ['a', '_x10 1x10 2x10 stale'],
      ['b', '5x20 7x20'],
    ].flatMap(([instance, values]) =>
      ['patient_errors_total', 'patient_orphans_total'].map((name) => {
        return { series: `${name}{${labels}, instance="${instance}"}`, values };
      }),
    );
    const after = (eval_time: string, title: string, value: number) => {
      return { expr: exprOf.get(title), eval_time, exp_samples: [{ labels: '{}', value }] };
    };
    const promql_expr_test = [
      after('5m', 'Outcomes unknown, last day', 5),
      after('12m', 'Outcomes unknown, last day', 5 + 1),
      after('40m', 'Outcomes unknown, last day', 7 + 2),
      after('12m', 'Orphans found', 1),
      after('18m', 'Orphans found', 0),
    ];
    const tests = [{ interval: '1m', input_series, promql_expr_test }];
    expect(await promtoolOn({ tests }, 'test', 'rules')).toContain('SUCCESS');
  });

  test('both know only metrics that there are, with labels that they have', async () => {
    const panels = (await queries()).map(([, expr]) => expr);
    const text = [...panels, await readFile(path('deploy/alerts.yaml'), 'utf8')].join(' ');
    const used = [
      ...text.matchAll(/\b((?:patient|temporal)_\w+?)(_bucket|_count|_sum)?\b(\{[^}]*\})?/g),
    ];
    const names = new Set(used.map(([, name]) => name!));
    expect(names.size).toBeGreaterThan(15);
    // Temporal's own, that test/telemetry has seen in a scrape.
    names.delete('temporal_activity_schedule_to_start_latency');
    expect(Object.keys(METRICS)).toEqual(expect.arrayContaining([...names]));
    for (const [, name, , labels = ''] of used.filter(([, each]) => each!.startsWith('patient_'))) {
      const known = METRICS[name as keyof typeof METRICS].labels;
      for (const [, label] of labels.matchAll(/(\w+)=/g)) {
        expect(['namespace', 'task_queue', ...known], name).toContain(label);
      }
    }
  });
});

describe('Kubernetes', () => {
  const manifest = path('deploy/kubernetes.yaml');

  test('it would take the manifest', async () => {
    expect(await kubernetesProblems(manifest)).toEqual([]);
  });

  test('probes, grace and variables are what a worker has', async () => {
    const documents = await readYaml<Deployment>(manifest);
    const { spec } = documents.find(({ kind }) => kind === 'Deployment')!;
    const pod = spec.template.spec;
    expect(pod.terminationGracePeriodSeconds * 1000).toBeGreaterThanOrEqual(drainTimeout + 30_000);
    const [container] = pod.containers;
    const set = container.env.map(({ name, value = 'redis://redis' }) => [name, value] as const);
    const { listen, metrics } = resolveOptions(optionsFromEnvironment(Object.fromEntries(set)));
    const ports = Object.fromEntries(
      container.ports.map(({ name, containerPort }) => [name, containerPort]),
    );
    expect(ports).toEqual({ http: listen!.port, metrics: Number(new URL(metrics!).port) });
    const app = healthRoutes({
      ...{ state: 'running', inFlight: 0, ready: true, failed: false, redisUsable: true },
    });
    for (const name of ['startup', 'liveness', 'readiness']) {
      const { httpGet } = container[`${name}Probe`]!;
      expect(httpGet.port).toBe('http');
      expect((await app.request(httpGet.path)).status, httpGet.path).toBe(200);
    }
  });

  test('the variables that Kubernetes makes of the Service do not disturb a worker', async () => {
    const documents = await readYaml<Deployment | Service>(manifest);
    const deployment = documents.find((each) => each.kind === 'Deployment')!;
    expect(deployment.spec.template.spec.enableServiceLinks).toBe(false);
    // A manifest of one's own may not say so.
    const { metadata, spec } = documents.find((each) => each.kind === 'Service')!;
    const links = serviceLinks(metadata.name, spec.ports);
    expect(links).toMatchObject({
      PATIENT_HTTP_SERVICE_PORT_METRICS: '9464',
      PATIENT_HTTP_PORT: 'tcp://10.96.0.17:8080',
    });
    expect(optionsFromEnvironment(links)).toEqual({});
  });

  test('the autoscaler looks at the queue of requests, and at this deployment', async () => {
    const [scaled] = await readYaml<{
      spec: {
        scaleTargetRef: { name: string };
        minReplicaCount: number;
        triggers: { metadata: Record<string, string> }[];
      };
    }>(path('deploy/keda.yaml'));
    const [deployment] = await readYaml<Deployment>(manifest);
    expect(scaled!.spec.scaleTargetRef.name).toBe(deployment!.metadata.name);
    expect(scaled!.spec.minReplicaCount).toBe(deployment!.spec.replicas);
    expect(scaled!.spec.triggers[0]!.metadata).toMatchObject({
      taskQueue: `${resolveOptions().taskQueue}:requests`,
      queueTypes: 'activity',
    });
  });
});

describe('Docker', () => {
  test('compose would take the stack, and gives a drain its time', async () => {
    const file = path('docker-compose.yml');
    expect(await composeProblem(file)).toBeNull();
    const compose = spawnSync('docker', ['compose', '-f', file, 'config', '--quiet'], {
      encoding: 'utf8',
    });
    const answers = spawnSync('docker', ['compose', 'version']).status === 0;
    if (answers) expect(compose.status, compose.stderr).toBe(0);
    const [stack] = await readYaml<{ services: Record<string, Record<string, unknown>> }>(file);
    const { services } = stack!;
    const { worker } = services;
    const [, minutes] = /^(\d+)m$/.exec(String(worker!['stop_grace_period'])) ?? [];
    expect(Number(minutes) * 60_000).toBeGreaterThan(drainTimeout);
    const needed = Object.keys(worker!['depends_on'] as object);
    expect(Object.keys(services)).toEqual(expect.arrayContaining(needed));
    for (const name of needed) expect(services[name]).toHaveProperty('healthcheck');
    optionsFromEnvironment(worker!['environment'] as Record<string, string>);
  });

  test('the image has all peers, also the optional ones, and nothing of development', async () => {
    const [commands] = /npm pkg delete .+/.exec(await readFile(path('Dockerfile'), 'utf8'))!;
    const folder = await mkdtemp(join(tmpdir(), 'patient-image-'));
    try {
      for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
        await copyFile(path(file), join(folder, file));
      }
      const settings = { npm_config_package_lock_only: 'true', npm_config_offline: 'true' };
      await run('sh', ['-c', commands], { cwd: folder, env: { ...process.env, ...settings } });
      const read = async <T>(file: string): Promise<T> =>
        JSON.parse(await readFile(file, 'utf8')) as T;
      const { peerDependencies } = await read<{ peerDependencies: object }>(path('package.json'));
      const { packages } = await read<{ packages: object }>(join(folder, 'package-lock.json'));
      const left = Object.keys(packages).map((each) => each.replace('node_modules/', ''));
      expect(left).toEqual(expect.arrayContaining(Object.keys(peerDependencies)));
      for (const tool of ['typescript', 'vitest']) expect(left).not.toContain(tool);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each(['Dockerfile', 'docker-compose.yml'])(
    'the health check of %s follows the worker',
    async (file) => {
      let ready = true;
      const app = healthRoutes({
        ...{ state: 'running', inFlight: 0, redisUsable: undefined },
        get ready() {
          return ready;
        },
        get failed() {
          return !ready;
        },
      });
      const server = new WebServer(app, { host: '127.0.0.1', port: 0 });
      await server.start();
      const [, script = ''] = /"(fetch\('.*\))"/.exec(await readFile(path(file), 'utf8')) ?? [];
      expect(script).toContain('http://127.0.0.1:8080/');
      const check = (): Promise<unknown> =>
        run(process.execPath, ['-e', script.replace('http://127.0.0.1:8080', server.url!)]);
      try {
        await check();
        ready = false;
        await expect(check()).rejects.toThrow();
      } finally {
        await server.close();
      }
      await expect(check()).rejects.toThrow();
    },
  );
});
