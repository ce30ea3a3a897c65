import { expect, inject, test } from 'vitest';
import { openFleet } from '../../src/fleet/open.ts';
import { startEnvironment } from '../support/environment.ts';
import { startRedis } from '../support/redis.ts';
import { startTcpProxy } from '../support/tcp-proxy.ts';
import { waitFor } from '../support/wait-for.ts';
import { startFreezingProxy } from '../temporal/support/freezing-proxy.ts';
import { startSecondWorker } from '../temporal/support/second-worker.ts';

test('an outcome that Temporal does not take is seen with its process, and without it', async () => {
  await using redis = await startRedis();
  await using network = await startTcpProxy(redis.port);
  await using temporal = await startFreezingProxy(inject('temporalAddress'));
  await using env = await startEnvironment({
    ...{ address: temporal.address, leaseTtl: 1_500 },
    redisUrl: `redis://127.0.0.1:${network.port}`,
  });
  const { taskQueue } = env;
  await using fleet = await openFleet({ redisUrl: redis.url, taskQueue });
  const handle = await env.patient.submit.post(env.target.url('/hold'), { json: {} });
  await env.target.waitFor(({ held }) => held === 1);
  expect(await fleet.keptOutcomes()).toEqual([]);
  temporal.freeze();
  env.target.release();

  const [kept] = await waitFor(async () => {
    const found = await fleet.keptOutcomes();
    return found.length > 0 ? found : undefined;
  });
  const [own] = await fleet.processes();
  expect(kept).toMatchObject({ method: 'POST', path: '/hold', process: own!.id });
  expect(kept!.key.workflowId).toBe(handle.requestId);
  expect(await env.worker.fleet.keptOutcomes()).toEqual([kept]);

  // As if the process were dead: its record is all that is left.
  network.cut();
  await waitFor(async () => {
    const [found] = await fleet.keptOutcomes();
    return found && found.process === undefined;
  });
  expect(await fleet.keptOutcomes()).toEqual([{ ...kept, process: undefined }]);
  expect(await fleet.keptOutcomes(0)).toEqual([]);

  const survivor = { ...env, address: inject('temporalAddress') };
  await using _second = await startSecondWorker(survivor, { leaseTtl: 1_500, redisUrl: redis.url });
  await waitFor(async () => (await fleet.keptOutcomes()).length === 0);
  temporal.thaw();
  network.restore();
  expect(await handle.result()).toMatchObject({ status: 200 });
});
