import type { Client } from '@temporalio/client';
import type { Payload, PayloadCodec } from '@temporalio/common';
import { loadDataConverter } from '@temporalio/common/lib/internal-non-workflow/index.js';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ActivityRpc } from '../../src/completion/activity-rpc.ts';
import { Delivery } from '../../src/completion/delivery.ts';
import { Heartbeats } from '../../src/completion/heartbeats.ts';
import { Insistence } from '../../src/completion/insist.ts';
import { resolveOptions } from '../../src/config/options.ts';
import { resolveRequest } from '../../src/config/request-spec.ts';
import { MemoryLiveness } from '../../src/liveness/memory.ts';
import { RequestTask } from '../../src/processor/task.ts';
import { NO_PROGRESS } from '../../src/shared/attempt.ts';
import type { Log } from '../../src/shared/log.ts';

const HOUR = 60 * 60_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Answers none of its first calls. */
class Hangs implements PayloadCodec {
  asked = 0;
  readonly #calls: number;

  constructor(calls: number) {
    this.#calls = calls;
  }

  async encode(payloads: Payload[]): Promise<Payload[]> {
    if (++this.asked <= this.#calls) await new Promise(() => undefined);
    return payloads;
  }

  async decode(payloads: Payload[]): Promise<Payload[]> {
    return payloads;
  }
}

function logged(): { lines: string[]; log: Log } {
  const lines: string[] = [];
  const note = (message: string, meta?: Record<string, unknown>): void => {
    const { error } = meta ?? {};
    lines.push(error instanceof Error ? `${message}: ${error.message}` : message);
  };
  return { lines, log: { debug: note, info: note, warn: note, error: note } };
}

/** What a response is encoded as with this codec, or what comes of it instead. */
function encoded(codec: PayloadCodec, log: Log, deadlineAt?: number): Promise<unknown> {
  const loadedDataConverter = loadDataConverter({ payloadCodecs: [codec] });
  const rpc = new ActivityRpc(() => ({ options: { loadedDataConverter } }) as unknown as Client);
  const [insistence, liveness] = [new Insistence(log), new MemoryLiveness()];
  const heartbeats = new Heartbeats(rpc, insistence, liveness, log);
  const delivery = new Delivery(insistence, heartbeats, liveness, log, () => undefined);
  const task = new RequestTask({
    key: { namespace: 'n', workflowId: 'w', runId: 'r', activityId: 'a' },
    attempt: { number: 1, scheduledAt: 0, token: new Uint8Array() },
    request: resolveRequest(
      { url: 'http://target.test/' },
      { requestId: 'r', defaults: resolveOptions() },
    ),
    ...{ progress: NO_PROGRESS, heartbeatTimeout: 60_000, scheduledAt: 0, deadlineAt },
  });
  return delivery.encode<unknown>(task, {
    encode: () => rpc.encode(task.key, 'paid for'),
    keep: async () => false,
    otherwise: (error) => error,
    deadlineAt,
  });
}

test('a codec that hangs once is asked again after a minute, and the log names it', async () => {
  const { lines, log } = logged();
  const codec = new Hangs(1);
  const [payloads] = await Promise.all([
    encoded(codec, log),
    vi.advanceTimersByTimeAsync(2 * 60_000),
  ]);
  expect(payloads).toMatchObject([{ data: new TextEncoder().encode('"paid for"') }]);
  expect(codec.asked).toBe(2);
  expect(lines).toEqual([
    'A response cannot be encoded; trying again: ' +
      'payloadCodecs: Hangs has not answered in 60000 ms',
  ]);
});

test.each<[string, number, number | undefined]>([
  ['after an hour', HOUR, undefined],
  ['with the deadline', 10 * 60_000, 10 * 60_000],
])('one that always hangs ends the wait %s', async (_name, ms, deadline) => {
  const codec = new Hangs(Infinity);
  const deadlineAt = deadline && Date.now() + deadline;
  let error: unknown;
  void encoded(codec, logged().log, deadlineAt).then((instead) => (error = instead));
  await vi.advanceTimersByTimeAsync(ms - 5_000);
  expect(error).toBeUndefined();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(error).toMatchObject({ message: expect.stringContaining('payloadCodecs: ') as string });
  expect(codec.asked).toBeGreaterThan(5);
});

test('a call that cannot be encoded is no silence of Temporal', async () => {
  const { lines, log } = logged();
  const answers = [new Error('no key'), new Error('no key'), 'accepted'];
  const pause = async (): Promise<void> => undefined;
  const call = async (): Promise<unknown> => {
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  expect(await new Insistence(log).call({ pause }, () => true, call)).toBe('accepted');
  expect(lines).toEqual([
    'The payload codec fails; what is to be delivered is kept: no key',
    'The payload codec works again',
  ]);
});
