import type { OutcomeSeal } from '../liveness/port.ts';
import { KeptOutcomeError } from '../shared/errors.ts';
import { fromJson, toJson, type JsonPayload } from '../shared/json-payload.ts';
import { plainOutcome, type Settled } from '../shared/outcome.ts';
import type { ActivityRpc, Payloads } from './activity-rpc.ts';
import { reasonOf } from './failure.ts';

/**
 * Kept outcomes as the data converter and its codecs make payloads of them. A request's response is
 * kept as what it is in the payload store, or because it cannot be put there.
 */
export function createOutcomeSeal(
  rpc: Pick<ActivityRpc, 'encode' | 'encodeWithoutStore' | 'decode'>,
): OutcomeSeal {
  return {
    async seal(key, settled, isItem) {
      const value = plainOutcome(settled);
      const keep = (): Promise<Payloads> => rpc.encodeWithoutStore(key, value);
      const payloads = await (isItem ? rpc.encode(key, value).catch(keep) : keep());
      return JSON.stringify(payloads.map(toJson));
    },
    async open(key, sealed) {
      try {
        const payloads = (JSON.parse(sealed) as JsonPayload[]).map(fromJson);
        return (await rpc.decode(key, payloads)) as Settled;
      } catch (cause) {
        const message = `What it ended with is kept, and cannot be read here; ${reasonOf(cause)}`;
        throw new KeptOutcomeError(message, { cause });
      }
    },
  };
}
