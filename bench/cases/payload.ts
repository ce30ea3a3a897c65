import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { resolveOptions, type PatientOptions } from '../../src/config/options.ts';
import { PatientCodec } from '../../src/payload/patient-codec.ts';
import { startRedisServer } from '../../src/testing/redis-server.ts';
import { startS3 } from '../../test/support/s3.ts';
import { cpuBetween, median, usage } from '../measure.ts';
import type { CaseResult } from '../report.ts';

const SMALL = 1_000;
const LARGE = 1_000_000;
const WARM_UP = 20;
/** Payloads made beforehand, which take turns. */
const DIFFERENT = 10;

export interface Stores extends AsyncDisposable {
  /** `payloadStore` of each kind. */
  readonly urls: Record<'file' | 'redis' | 's3', string>;
}

/** One of each kind, on this machine. */
export async function startStores(): Promise<Stores> {
  const folder = await mkdtemp(join(tmpdir(), 'patient-bench-'));
  const redis = await startRedisServer();
  const s3 = await startS3();
  await s3.createBucket('payloads');
  return {
    urls: { file: pathToFileURL(folder).href, redis: redis.url, s3: s3.url('payloads') },
    async [Symbol.asyncDispose]() {
      await s3[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The codec alone, in the bench's own process: a response is encoded and decoded again. */
export async function payload({
  count,
  rounds,
}: {
  count: number;
  rounds: number;
}): Promise<CaseResult> {
  await using stores = await startStores();
  const { file, redis, s3 } = stores.urls;
  const encryptionKeys = [{ id: 'bench', key: Buffer.alloc(32, 1) }];
  const payloadThreshold = SMALL / 2;
  const systems: Record<string, PatientOptions> = {
    nothing: {},
    compression: { compress: true },
    encryption: { encryptionKeys },
    'file store': { payloadStore: file, payloadThreshold },
    'Redis store': { payloadStore: redis, payloadThreshold },
    'S3 store': { payloadStore: s3, payloadThreshold },
    'all, file store': { compress: true, encryptionKeys, payloadStore: file, payloadThreshold },
  };
  const measured: { system: string; size: number; cpu: number; ms: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const [system, options] of Object.entries(systems)) {
      const codec = new PatientCodec(resolveOptions(options));
      for (const size of [SMALL, LARGE]) {
        const times = size === SMALL ? count : Math.ceil(count / 10);
        const payloads = Array.from({ length: DIFFERENT }, (_, index) => response(size, index));
        await passThrough(codec, payloads, WARM_UP);
        const before = usage({ gc: true });
        const started = performance.now();
        await passThrough(codec, payloads, times);
        const ms = (performance.now() - started) / times;
        const cpu = cpuBetween(before, usage({ gc: false })) / times;
        measured.push({ system, size, cpu, ms });
      }
    }
  }
  const figure = (system: string, size: number, name: 'cpu' | 'ms'): number =>
    median(
      measured.filter((each) => each.system === system && each.size === size).map((m) => m[name]),
    );
  return {
    title: 'Payload codec, encode and decode',
    parameters: { 'payloads of 1 KB': count, 'of 1 MB': Math.ceil(count / 10), rounds },
    rows: Object.keys(systems).map((system) => ({
      system,
      'CPU µs per 1 KB': figure(system, SMALL, 'cpu') * 1000,
      'elapsed µs per 1 KB': figure(system, SMALL, 'ms') * 1000,
      'CPU ms per MB': figure(system, LARGE, 'cpu'),
      'elapsed ms per MB': figure(system, LARGE, 'ms'),
    })),
    remarks: [],
    rounds: measured,
  };
}

async function passThrough(codec: PatientCodec, payloads: Payload[], times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const [encoded] = await codec.encode([payloads[i % payloads.length]!]);
    await codec.decode([encoded!]);
  }
}

/** Text that compresses to about a third; no two are alike. */
function response(size: number, index: number): Payload {
  let body = `${index}`;
  for (let i = index; body.length < size; i++) {
    body += `{"id":${(i * 7919) % 99_991},"name":"item ${(i * 31) % 977}","price":${i % 1000}}`;
  }
  return defaultPayloadConverter.toPayload({ status: 200, body: body.slice(0, size) });
}
