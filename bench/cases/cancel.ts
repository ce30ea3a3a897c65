import { randomUUID } from 'node:crypto';
import type { Environment } from '../environment.ts';
import { quantile } from '../measure.ts';
import { startPeer } from '../peer.ts';
import type { patient } from '../peers/patient.ts';
import type { CaseResult, Row } from '../report.ts';

const READY_TIMEOUT = 60_000;
const PAUSE_MS = 20;

/** From asking Temporal to cancel a workflow to the target seeing its connection closed. */
export async function cancel(env: Environment, { count }: { count: number }): Promise<CaseResult> {
  const taken = {
    'nothing else in flight': await measure(env, count, 1),
    'every place taken, as many waiting': await measure(env, count, count),
  };
  const rows: Row[] = Object.entries(taken).map(([worker, ms]) => ({
    worker,
    cancels: ms.length,
    p50: quantile(ms, 0.5),
    p99: quantile(ms, 0.99),
    max: Math.max(...ms),
  }));
  return {
    title: 'From cancelling the workflow to the closed connection, ms',
    parameters: { cancels: count },
    rows,
    remarks: [],
    rounds: taken,
  };
}

/** `atOnce` requests on a worker with as many places; every cancel makes room for the next. */
async function measure(
  { target, driver, origin, temporalAddress: address }: Environment,
  count: number,
  atOnce: number,
): Promise<number[]> {
  const taskQueue = `cancel-${atOnce}`;
  await using worker = await startPeer<typeof patient>('patient');
  const options = { maxConnections: atOnce, userAgent: 'patient-http' };
  await worker.call('start', { address, taskQueue, ...options });
  await target.call('reset');
  const call = { workflowType: 'patientCall', url: `${origin}/held`, taskQueue };
  const start = async (number: number): Promise<string[]> => {
    const ids = Array.from({ length: number }, () => randomUUID());
    await driver.call('startEach', { ...call, ids });
    return ids;
  };

  const waiting = new Set<string>();
  const all: string[] = [];
  const add = async (number: number): Promise<void> => {
    for (const id of await start(number)) {
      waiting.add(id);
      all.push(id);
    }
  };
  // As many again wait in Temporal.
  if (atOnce > 1) await add(atOnce * 2);
  const taken: number[] = [];
  while (taken.length < count) {
    if (atOnce === 1) await add(1);
    await target.call('waitForInFlight', { count: atOnce, timeoutMs: READY_TIMEOUT });
    const held = await target.call('heldIds');
    const id = held.find((each) => waiting.delete(each))!;
    const asked = await driver.call('cancel', id);
    const closed = (await target.call('closed', id)) ?? NaN;
    taken.push((closed - asked) / 1e6);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await driver.call('terminate', all);
  return taken;
}
