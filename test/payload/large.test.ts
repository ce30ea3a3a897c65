/* Bodies above what Temporal takes, and a store that is away when one has arrived. */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { expect, test, vi } from 'vitest';
import { OwnedTask } from '../../src/processor/owned-task.ts';
import { startEnvironment } from '../support/environment.ts';
import { startRedis } from '../support/redis.ts';
import { startS3 } from '../support/s3.ts';
import { waitFor } from '../support/wait-for.ts';
import { failureOf, rejection } from '../temporal/support/outcomes.ts';
import { A, rawHistory, temporaryFolder, unique } from './support.ts';

const MAX = 100 * 1024 * 1024;
/** A busy machine can exceed the five seconds of a workflow's isolate, and its task is run again. */
const LONG = 300_000;

test('a body of 100 MiB, whole, in a history of some kilobytes', { timeout: LONG }, async () => {
  await using folder = await temporaryFolder();
  await using env = await startEnvironment({ payloadStore: folder.url, maxResponseSize: MAX });
  const requestId = unique('large');
  const { body } = await env.patient.get(env.target.url(`/bytes/${MAX}`), { requestId });
  expect(sha256(body!)).toBe(sha256('x'.repeat(MAX)));
  expect((await rawHistory(env.client, requestId)).length).toBeLessThan(4_096);

  await rm(folder.path, { recursive: true });
  const lost = await rejection(env.patient.handle(requestId).result());
  expect(lost.message).toMatch(/^payloadStore: payload \S+ is not in file:\S+: deleted,/);
});

test('several at once through each kind of store, encrypted', { timeout: LONG }, async () => {
  await using folder = await temporaryFolder();
  await using redis = await startRedis();
  await using s3 = await startS3();
  await s3.createBucket('payloads');
  const size = 3_000_000;
  for (const payloadStore of [folder.url, redis.url, s3.url('payloads')]) {
    const options = { payloadStore, encryptionKeys: [`a:${A}`], maxResponseSize: size };
    await using env = await startEnvironment(options);
    const url = env.target.url(`/bytes/${size}`);
    const responses = await Promise.all(Array.from({ length: 5 }, () => env.patient.get(url)));
    for (const { body } of responses) expect(body!.length).toBe(size);
  }
});

/** A store as a user writes one, which can be away. */
class Memory {
  readonly name = 'memory';
  readonly kept = new Map<string, Uint8Array>();
  away = false;
  refused = 0;

  async put(id: string, bytes: Uint8Array): Promise<void> {
    if (this.away) {
      this.refused++;
      throw new Error('no space left');
    }
    this.kept.set(id, bytes);
  }

  async get(id: string): Promise<Uint8Array | undefined> {
    return this.kept.get(id);
  }
}

const BODY = 'x'.repeat(5_000);

test('while the store is full, a response in hand is kept until it fits', async () => {
  const payloadStore = new Memory();
  await using env = await startEnvironment({ payloadStore, payloadThreshold: 3_000 });
  payloadStore.away = true;
  const handle = await env.patient.submit.post(env.target.url('/bytes/5000'), {
    heartbeatTimeout: '2s',
  });
  await waitFor(() => payloadStore.refused > 2);
  payloadStore.away = false;
  expect((await handle.result())!.body).toBe(BODY);
  expect(env.target.total).toBe(1);
});

test('one that stays full is a failure that says so, and nothing is sent again', async () => {
  // As often as ever, without the four minutes.
  const pauses = vi.spyOn(OwnedTask.prototype, 'pause').mockResolvedValue();
  try {
    const payloadStore = new Memory();
    await using env = await startEnvironment({ payloadStore, payloadThreshold: 3_000 });
    payloadStore.away = true;
    const failure = await failureOf(env.patient.post(env.target.url('/bytes/5000')));
    expect(failure).toMatchObject({ type: 'UnknownError', phase: 'sent' });
    expect(failure.message).toContain('payloadStore: memory cannot store a payload of 5');
    expect(failure.message).toContain('no space left');
    expect(payloadStore.refused).toBe(30);
    expect(env.target.total).toBe(1);
  } finally {
    pauses.mockRestore();
  }
});

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
