/* How what an item of a batch ended with is kept, and how a single outcome is delivered, by the codec alone. */
import { Client, Connection } from '@temporalio/client';
import { expect, test } from 'vitest';
import { ActivityRpc } from '../../src/completion/activity-rpc.ts';
import { createOutcomeSeal } from '../../src/completion/outcome-seal.ts';
import { encodeOutcome } from '../../src/completion/outcome.ts';
import { resolveOptions, type PatientOptions } from '../../src/config/options.ts';
import { HeldBody } from '../../src/http/large-body.ts';
import { PatientCodec, withCodec } from '../../src/payload/patient-codec.ts';
import type { Outcome } from '../../src/shared/outcome.ts';
import type { Json } from '../../src/shared/wire.ts';
import { Memory } from './support.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const key = { namespace: 'n', workflowId: 'w', runId: 'r', activityId: 'a', index: 0 };

/** Temporal itself is not asked. */
function rpcWith(options: PatientOptions): ActivityRpc {
  const dataConverter = withCodec(undefined, new PatientCodec(resolveOptions(options)));
  const client = new Client({ connection: Connection.lazy(), dataConverter });
  return new ActivityRpc(() => client);
}

function outcome(bytes: number, callbackArgs: Json = null): Outcome {
  const pieces = [...Array(Math.floor(bytes / KiB)).fill(Buffer.alloc(KiB, 'x'))];
  return {
    kind: 'response',
    response: {
      ...{ status: 200, headers: {}, url: 'http://a/', method: 'POST', redirects: [] },
      ...{ requestId: 'r', durationMs: 1, attempt: 1, callbackArgs },
      ...{ body: new HeldBody(pieces, true), bodyEncoding: 'utf8' },
    },
  };
}

async function kept(options: PatientOptions, bytes: number) {
  const seal = createOutcomeSeal(rpcWith(options));
  const sealed = await seal.seal(key, outcome(bytes), true);
  if (sealed === undefined) return undefined;
  return { size: sealed.length, opened: await seal.open(key, sealed) };
}

const whole = (bytes: number) => ({ kind: 'response', response: { body: 'x'.repeat(bytes) } });

test.each([3 * MiB, 17 * MiB])(
  'without a store, what its batch will refuse is kept as that: %i bytes',
  async (bytes) => {
    const { size, opened } = (await kept({}, bytes))!;
    expect(size).toBeLessThan(20 * KiB);
    expect(opened).toMatchObject({
      kind: 'error',
      error: { type: 'ResponseTooLargeError', response: { status: 200, bodyTruncated: true } },
    });
  },
);

test('with a store, as a reference', async () => {
  const { size, opened } = (await kept({ payloadStore: new Memory() }, 17 * MiB))!;
  expect(size).toBeLessThan(KiB);
  expect(opened).toMatchObject(whole(17 * MiB));
});

test('while the store is away, as a whole; what is too large for that, not at all', async () => {
  const payloadStore = new Memory();
  payloadStore.away = true;
  expect((await kept({ payloadStore }, 3 * MiB))!.opened).toMatchObject(whole(3 * MiB));
  expect(await kept({ payloadStore }, 17 * MiB)).toBeUndefined();
});

test('while the store does not answer, as a whole too, and soon', async () => {
  const payloadStore = new Memory();
  payloadStore.silent = true;
  expect((await kept({ payloadStore }, 100 * KiB))!.opened).toMatchObject(whole(100 * KiB));
});

/** Counts those that are stored at once. */
class Counting extends Memory {
  most = 0;
  #now = 0;

  override async put(id: string, bytes: Uint8Array): Promise<void> {
    this.most = Math.max(this.most, ++this.#now);
    await new Promise(setImmediate);
    await super.put(id, bytes);
    this.#now--;
  }
}

test('few large ones are encoded at once', async () => {
  const payloadStore = new Counting();
  const seal = createOutcomeSeal(rpcWith({ payloadStore }));
  await Promise.all(
    Array.from({ length: 12 }, (_, index) => seal.seal({ ...key, index }, outcome(2 * MiB), true)),
  );
  expect(payloadStore.most).toBeLessThanOrEqual(4);
});

test('what does not fit beside its callbackArgs is stored, whatever the threshold', async () => {
  const rpc = rpcWith({ payloadStore: new Memory(), payloadThreshold: 2 * MiB });
  const encoded = await encodeOutcome(rpc, { key }, outcome(1650 * KiB, 'y'.repeat(200 * KiB)));
  expect(encoded.outcome.kind).toBe('encoded');
});
