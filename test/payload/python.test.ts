import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { startEnvironment } from '../support/environment.ts';
import { PYTHON_SDK, pythonLibrary, runPython } from '../support/python.ts';
import { A, B, rawHistory, unique } from './support.ts';

const SCRIPT = fileURLToPath(new URL('interop.py', import.meta.url));

test(
  "Temporal's Python SDK reads what we write, and we what it writes",
  { timeout: 400_000 },
  async () => {
    const library = await pythonLibrary("Temporal's Python SDK", PYTHON_SDK);
    const encryptionKeys = [`a:${A}`, `b:${B}`];
    await using env = await startEnvironment({ encryptionKeys, compress: true });
    const requestId = unique('python');
    const ours = await env.patient.post(env.target.url('/echo'), {
      requestId,
      body: 'x'.repeat(5_000),
    });

    // Its first key is our second: a rotation that has come to one process before the other.
    const keys = encryptionKeys.toReversed();
    const place = [inject('temporalAddress'), env.taskQueue, env.target.url('/echo'), requestId];
    const stdout = await runPython(SCRIPT, [...place, ...keys], { PYTHONPATH: library });
    const { called, read } = JSON.parse(stdout);
    expect(JSON.parse(called.body).body).toBe('rosebud '.repeat(1_000));
    expect(JSON.parse(read.body)).toEqual(ours.json());
    expect((await rawHistory(env.client, requestId)).includes('binary/encrypted')).toBe(true);
  },
);
