import { Client, Connection } from '@temporalio/client';
import { expect, test } from 'vitest';
import { Rounds } from '../../src/playground/rounds.ts';

test('calls that could not be started are not under way for ever', async () => {
  const connection = Connection.lazy({ address: '127.0.0.1:1' });
  const client = new Client({ connection });
  await connection.close();
  const rounds = new Rounds({ client, taskQueue: 'patient-http', target: 'http://127.0.0.1:1' });
  const round = { patient: 250, plain: 0, delay: 0, drift: 0, errors: 0 };
  await expect(rounds.fire(round)).rejects.toThrow();
  await expect.poll(() => rounds.isRunning).toBe(false);
  expect(rounds.figures.patient).toMatchObject({ fired: 250, waiting: 0, stopped: 250 });
});
