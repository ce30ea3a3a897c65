import { expect } from 'vitest';
import { createTarget } from '../../src/playground/target.ts';
import type { TestEnvironment } from '../../src/testing/environment.ts';
import { WebServer } from '../../src/web/server.ts';
import { startEnvironment } from '../support/environment.ts';

export interface ExampleWorld extends AsyncDisposable {
  readonly env: TestEnvironment;
  /** Of the target that `npm start` has too. */
  readonly base: string;
  /** What an example reads to find Temporal and Patient HTTP. */
  readonly variables: Record<string, string>;
}

/** What an example needs around it, as `npm start` has it: only the target may be called. */
export async function startWorld(): Promise<ExampleWorld> {
  const target = new WebServer(createTarget(), { host: '127.0.0.1', port: 0 });
  await target.start();
  const base = target.url!;
  try {
    const env = await startEnvironment({
      allowPrivateAddresses: false,
      allowAddresses: [new URL(base).host],
    });
    return {
      env,
      base,
      variables: { TEMPORAL_ADDRESS: env.address, PATIENT_TASK_QUEUE: env.taskQueue },
      async [Symbol.asyncDispose]() {
        await env[Symbol.asyncDispose]();
        await target.close();
      },
    };
  } catch (error) {
    await target.close();
    throw error;
  }
}

/** What every example prints, as its README says; `value` is the forecast in its language's words. */
export function expectToShow(output: string, value: string): void {
  const lines = output.trim().split('\n');
  expect(lines.map((line) => line.replace(/^(order 17: handed over as ).+/, '$1…'))).toEqual([
    `forecast: ${value}`,
    'no forecast: status 404 after try 1',
    'order 17: handed over as …',
    'order 17: status 200',
    'order 18: InvalidRequestError, phase prepare',
    'item 0: 200',
    'item 1: 503',
    'item 2: BlockedAddressError',
    'batch: 2 answered, 1 failed',
  ]);
}
