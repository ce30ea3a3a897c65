/* Bodies above what Temporal takes. */
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { startEnvironment } from '../support/environment.ts';
import { startRedis } from '../support/redis.ts';
import { startS3 } from '../support/s3.ts';
import { rejection } from '../temporal/support/outcomes.ts';
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

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
