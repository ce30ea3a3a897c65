import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';

/** Makes a build the one that takes new work, once the server has heard of it on both queues. */
async function makeCurrent({ client, taskQueue }: Environment, name: string, buildId: string) {
  const version = { deploymentName: name, buildId };
  await waitFor(async () => {
    const described = await client.workflowService
      .describeWorkerDeploymentVersion({ namespace: 'default', deploymentVersion: version })
      .catch(() => undefined);
    const queues = described?.workerDeploymentVersionInfo?.taskQueueInfos ?? [];
    const names = new Set(queues.map((queue) => queue.name));
    return names.has(taskQueue) && names.has(`${taskQueue}:requests`);
  });
  await client.workflowService.setWorkerDeploymentCurrentVersion({
    namespace: 'default',
    deploymentName: name,
    buildId,
    identity: 'test',
  });
}

test('a versioned worker runs requests once its build is current', async () => {
  const name = `deployment-${randomUUID()}`;
  await using env = await startEnvironment({ deployment: { name, buildId: 'v1' } });
  await makeCurrent(env, name, 'v1');
  const handle = await env.patient.submit.get(env.target.url('/status/204'));
  expect(await handle.result()).toMatchObject({ status: 204 });
  const { raw } = await handle.describe();
  expect(raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion).toMatchObject({
    deploymentName: name,
    buildId: 'v1',
  });
});
