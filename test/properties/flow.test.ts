import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NOTHING, type Answer, type Unused } from '../../src/flow/ledger.ts';
import { MemoryLedger } from '../../src/flow/memory.ts';
import type { FlowLimits } from '../../src/shared/flow-limits.ts';
import { worstExcess, type Sent } from '../flow/windows.ts';

// Minutes of a key's life in no time: only the clock is not the real one.
beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

const asks = fc.array(
  fc.record({
    /** ms since the ask before. */
    after: fc.oneof(
      fc.constant(0),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ max: 5_000, min: 51 }),
    ),
    costs: fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 30 }),
  }),
  { minLength: 1, maxLength: 60 },
);

test('over any window no more goes than the rate and the burst, or one request', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        rate: fc.integer({ min: 1, max: 2_000 }),
        period: fc.integer({ min: 100, max: 60_000 }),
        burst: fc.integer({ min: 1, max: 50 }),
      }),
      asks,
      async (limits, steps) => {
        const ledger = new MemoryLedger();
        const sent: Sent[] = [];
        for (const { after, costs } of steps) {
          vi.advanceTimersByTime(after);
          const { slots } = await ledger.ask('key', {
            ...NOTHING,
            limits,
            stated: true,
            held: 0,
            costs,
          });
          for (const [index, slot] of slots.entries()) {
            sent.push({ at: slot.at, cost: costs[index]! });
          }
        }
        const largest = Math.max(...sent.map(({ cost = 1 }) => cost), limits.burst);
        expect(worstExcess(sent, limits)).toBeLessThanOrEqual(largest + 1e-6);
      },
    ),
  );
});

test('who keeps asking gets all of the rate', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 2_000 }),
      fc.integer({ min: 100, max: 10_000 }),
      async (rate, period) => {
        const ledger = new MemoryLedger();
        let granted = 0;
        const began = performance.now();
        const end = began + 20 * period;
        while (performance.now() < end) {
          const costs = Array.from({ length: 100 }, () => 1);
          const ask = { ...NOTHING, limits: { rate, period }, stated: true, held: 0, costs };
          const { slots, retryIn } = await ledger.ask('key', ask);
          granted += slots.length;
          vi.advanceTimersByTime(slots.length === 100 ? 0 : Math.ceil(retryIn));
        }
        // All but the slack that keeps what is late within the limit.
        expect(granted).toBeGreaterThanOrEqual(Math.floor(20 * 0.97 * rate));
      },
    ),
    { numRuns: 20 },
  );
});

/** Requests whose answers say what they have used: when each goes, and when its answer is there. */
class Settling {
  readonly sent: Required<Sent>[] = [];
  readonly #ledger = new MemoryLedger();
  readonly #limits: FlowLimits;
  #open: { unused: Unused; settles: number }[] = [];

  constructor(limits: FlowLimits) {
    this.#limits = limits;
  }

  async ask(costs: { estimate: number; used: number; takes: number }[]): Promise<Answer> {
    const now = performance.now();
    const due = this.#open.filter(({ settles }) => settles <= now);
    this.#open = this.#open.filter(({ settles }) => settles > now);
    const answer = await this.#ledger.ask('key', {
      ...{ ...NOTHING, limits: this.#limits, stated: true, held: 0 },
      unused: due.map(({ unused }) => unused),
      costs: costs.map(({ estimate }) => estimate),
    });
    for (const [index, { at, mark }] of answer.slots.entries()) {
      const { estimate, used, takes } = costs[index]!;
      this.sent.push({ at, cost: used });
      const unused = { units: estimate - used, mark: mark! };
      this.#open.push({ unused, settles: at + takes });
    }
    return answer;
  }
}

test('an estimate that was too high never lets more go than what was used allows', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        rate: fc.integer({ min: 10, max: 1_000 }),
        burst: fc.integer({ min: 10, max: 200 }),
      }),
      fc.array(
        fc.record({
          after: fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 500 })),
          estimate: fc.integer({ min: 1, max: 100 }),
          share: fc.double({ min: 0, max: 1, noNaN: true }),
          takes: fc.integer({ min: 0, max: 1_000 }),
        }),
        { minLength: 2, maxLength: 60 },
      ),
      async ({ rate, burst }, steps) => {
        const limits = { rate, period: 1_000, burst };
        const requests = new Settling(limits);
        for (const { after, estimate, share, takes } of steps) {
          vi.advanceTimersByTime(after);
          await requests.ask([{ estimate, used: estimate * share, takes }]);
        }
        const largest = Math.max(100, burst);
        expect(worstExcess(requests.sent, limits)).toBeLessThanOrEqual(largest + 1e-6);
      },
    ),
  );
});

test('estimates four times too high do not keep a budget from being used', async () => {
  const rate = 1_000;
  const takes = 2_000;
  // Room for what is taken and not yet settled, and a little more.
  const limits = { rate, period: 1_000, burst: 5 * rate * (takes / 1_000) };
  const requests = new Settling(limits);
  const end = performance.now() + 120_000;
  while (performance.now() < end) {
    const costs = Array.from({ length: 20 }, () => ({ estimate: 40, used: 10, takes }));
    const { retryIn } = await requests.ask(costs);
    vi.advanceTimersByTime(Math.min(100, Math.ceil(retryIn)));
  }
  const used = requests.sent.reduce((sum, { cost }) => sum + cost, 0);
  expect(used).toBeGreaterThan(0.9 * rate * 120);
  expect(worstExcess(requests.sent, limits)).toBeLessThanOrEqual(limits.burst + 1e-6);
});
