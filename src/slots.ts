import type { ActivitySlotInfo, CustomSlotSupplier } from '@temporalio/worker';
import type { Processor } from './processor/processor.ts';

/**
 * Polls for a request only while the processor has a place for it; the rest wait in Temporal,
 * where any other worker can take them. It has none while it does not run. A permit is a
 * reservation of that place.
 */
export function gatedSlots(
  admission: Processor['admission'],
): CustomSlotSupplier<ActivitySlotInfo> {
  return {
    type: 'custom',
    async reserveSlot(_context, signal) {
      await admission.reserve(signal);
      return {};
    },
    tryReserveSlot: () => (admission.tryReserve() ? {} : null),
    markSlotUsed: () => undefined,
    releaseSlot: () => admission.release(),
  };
}
