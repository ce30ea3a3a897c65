import assert from 'node:assert/strict';
// #region
import { runInline } from 'patient-http/testing';

// #endregion
export async function runs() {
  const called: unknown[] = [];
  // #region
  const response = await runInline(
    { url: 'https://api.example.com/price/17', callback: 'priced', callbackArgs: 17 },
    {
      respond: ({ url }) => (url.endsWith('/17') ? { json: { amount: 12 } } : { status: 404 }),
      callbacks: { priced: ({ callbackArgs }) => called.push(callbackArgs) },
    },
  );
  assert.deepEqual(response.json(), { amount: 12 });
  assert.deepEqual(called, [17]);
  // #endregion
}
