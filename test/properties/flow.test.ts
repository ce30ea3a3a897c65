import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { NOTHING } from '../../src/flow/ledger.ts';
import { MemoryLedger } from '../../src/flow/memory.ts';
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
          const { slots } = await ledger.ask('key', { ...NOTHING, limits, held: 0, costs });
          for (const [index, slot] of slots.entries()) {
            sent.push({ at: slot, cost: costs[index]! });
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
          const ask = { ...NOTHING, limits: { rate, period }, held: 0, costs };
          const { slots, retryIn } = await ledger.ask('key', ask);
          granted += slots.length;
          vi.advanceTimersByTime(slots.length === 100 ? 0 : Math.ceil(retryIn));
        }
        expect(granted).toBeGreaterThanOrEqual(Math.floor(20 * rate));
      },
    ),
    { numRuns: 20 },
  );
});

test('an estimate that was too high never lets more go than what was used allows', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        rate: fc.integer({ min: 10, max: 1_000 }),
        burst: fc.integer({ min: 10, max: 200 }),
      }),
      fc.array(
        fc.record({
          after: fc.integer({ min: 0, max: 500 }),
          estimate: fc.integer({ min: 1, max: 100 }),
          share: fc.double({ min: 0, max: 1, noNaN: true }),
          takes: fc.integer({ min: 0, max: 1_000 }),
        }),
        { minLength: 2, maxLength: 60 },
      ),
      async ({ rate, burst }, steps) => {
        const limits = { rate, period: 1_000, burst };
        const ledger = new MemoryLedger();
        const sent: Required<Sent>[] = [];
        const open: { at: number; unused: number; settles: number }[] = [];
        for (const { after, estimate, share, takes } of steps) {
          vi.advanceTimersByTime(after);
          const now = performance.now();
          const due = open.filter(({ settles }) => settles <= now);
          let spent = 0;
          for (const each of due) {
            // As FlowPermit reports it.
            spent += Math.min(0, -each.unused + Math.max(0, ((now - each.at) * rate) / 1_000));
            open.splice(open.indexOf(each), 1);
          }
          const ask = { ...NOTHING, spent, limits, held: 0, costs: [estimate] };
          const { slots } = await ledger.ask('key', ask);
          for (const at of slots) {
            const used = estimate * share;
            sent.push({ at, cost: used });
            open.push({ at, unused: estimate - used, settles: at + takes });
          }
        }
        const largest = Math.max(100, burst);
        expect(worstExcess(sent, limits)).toBeLessThanOrEqual(largest + 1e-6);
      },
    ),
  );
});
