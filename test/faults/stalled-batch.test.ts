/** A large batch whose processes are stopped, one after another, for longer than their lease. */
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import type { RequestSpec, SinkItem } from '../../src/index.ts';
import { startFleet } from '../redis/fleet.ts';
import { quietRuntime } from '../support/environment.ts';
import { FULL } from './size.ts';

const COUNT = FULL ? 5_000 : 1_000;
const STOPS = FULL ? 20 : 4;
/** ms */
const RECOVERED = 60_000;

test(
  'each outcome is in the file once, and no POST is sent twice',
  { timeout: 600_000 },
  async () => {
    quietRuntime();
    const directory = await mkdtemp(join(tmpdir(), 'patient-stalled-'));
    const hits = new Uint16Array(COUNT);
    let isStalling = true;
    await using fleet = await startFleet({
      env: {
        PATIENT_BATCH_DIRECTORY: directory,
        PATIENT_MAX_CONNECTIONS: '20',
        PATIENT_MAX_CRASHES: String(STOPS),
      },
      target: {
        record: false,
        handler(request, response) {
          hits[Number(request.url!.slice(1))]!++;
          setTimeout(() => response.end('ok'), isStalling ? 1_000 * Math.random() : 0);
          return true;
        },
      },
    });
    const { target, redis, taskQueue } = fleet;
    const workers = await Promise.all([fleet.worker(), fleet.worker()]);
    const isPost = (index: number): boolean => index % 3 === 0;
    const requests = Array.from({ length: COUNT }, (_, i): RequestSpec => {
      return { method: isPost(i) ? 'POST' : 'GET', url: target.url(`/${i}`) };
    });
    const lines = requests.map((request) => JSON.stringify(request));
    await writeFile(join(directory, 'in'), lines.join('\n'));
    const sink = { file: 'out' };
    const handle = await fleet.patient.submitBatch({ source: { file: 'in' }, sink, chunkSize: 50 });

    const alive = (): Promise<number> => redis.redis.zcard(`patient:{default/${taskQueue}}:leases`);
    for (let stop = 0; stop < STOPS; stop++) {
      await target.waitFor(({ inFlight }) => inFlight > 20, RECOVERED);
      const worker = workers[stop % 2]!;
      worker.kill('SIGSTOP');
      await expect.poll(alive, { timeout: RECOVERED }).toBe(1);
      worker.kill('SIGCONT');
      await expect.poll(alive, { timeout: RECOVERED }).toBe(2);
    }
    isStalling = false;
    const { succeeded, failed } = await handle.result();
    const items: SinkItem[] = [];
    for await (const line of createInterface({ input: createReadStream(join(directory, 'out')) })) {
      items.push(JSON.parse(line) as SinkItem);
    }
    await rm(directory, { recursive: true });

    expect(items.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual([...hits.keys()]);
    const errors = items.filter((item) => 'error' in item);
    expect({ succeeded, failed }).toEqual({
      succeeded: COUNT - errors.length,
      failed: errors.length,
    });
    // Of a POST that was under way nobody knows the end; a GET is sent again.
    expect(errors.filter(({ index }) => !isPost(index))).toEqual([]);
    expect(errors.filter(({ error }) => error.type !== 'OutcomeUnknownError')).toEqual([]);
    expect(Math.max(...hits.filter((_, index) => isPost(index)))).toBe(1);
    expect(Math.min(...hits.filter((_, index) => !isPost(index)))).toBe(1);
    const again = hits.filter((times) => times > 1).length;
    console.log(
      `${STOPS} stops: ${again} of ${COUNT} sent again, ${failed} with an unknown outcome`,
    );
  },
);
