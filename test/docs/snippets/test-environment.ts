import assert from 'node:assert/strict';
// #region
import { assertSentOnce, startTestEnvironment } from 'patient-http/testing';
import { priceAsChild } from './workflows/index.ts';

// #endregion
export async function runs(workflowsPath: string) {
  // #region
  await using env = await startTestEnvironment({
    user: { workflowsPath },
    target: {
      handler({ url }, response) {
        response.end(JSON.stringify({ amount: url === '/price/17' ? 12 : 0 }));
        return true;
      },
    },
  });
  assert.equal(await env.run(priceAsChild, [env.target.origin, '17']), 12);
  assertSentOnce(env.target, 1);
  // #endregion
}
