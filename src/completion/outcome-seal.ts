import type { OutcomeSeal } from '../liveness/port.ts';
import { excerpt } from '../processor/ending.ts';
import { tooLargeAlone } from '../shared/batch.ts';
import { MAX_PAYLOAD_BYTES } from '../shared/constants.ts';
import { KeptOutcomeError } from '../shared/errors.ts';
import { inTime } from '../shared/in-time.ts';
import { fromJson, toJson, type JsonPayload } from '../shared/json-payload.ts';
import { plainOutcome, type Outcome, type Settled } from '../shared/outcome.ts';
import type { RequestKey } from '../shared/request-key.ts';
import { payloadBytes, type ActivityRpc, type Payloads } from './activity-rpc.ts';
import { SILENCE } from './delivery.ts';
import { reasonOf } from './failure.ts';
import { inTurn, isKept } from './outcome.ts';

/** ms for what is too large to be kept without the payload store, its turn included. */
const PATIENCE = 5 * 60_000;

/**
 * Kept outcomes as the data converter and its codecs make payloads of them. A request's response is
 * kept as what it is in the payload store, or because it cannot be put there.
 */
export function createOutcomeSeal(
  rpc: Pick<ActivityRpc, 'encode' | 'encodeWithoutStore' | 'decode'>,
): OutcomeSeal {
  const encodeWhole = (key: RequestKey, settled: Settled): Promise<Payloads> =>
    rpc.encodeWithoutStore(key, plainOutcome(settled));

  /** What Temporal would not take is kept as what its batch will tell instead. */
  const encodeItem = async (key: RequestKey, settled: Settled): Promise<Payloads> => {
    const payloads = await rpc.encode(key, plainOutcome(settled));
    const bytes = payloadBytes(payloads);
    if (settled.kind !== 'response' || bytes <= MAX_PAYLOAD_BYTES) return payloads;
    const { error } = tooLargeAlone(excerpt(settled.response), bytes);
    return rpc.encode(key, { kind: 'error', error } satisfies Outcome);
  };

  const keepItem = (key: RequestKey, settled: Settled): Promise<Payloads | undefined> => {
    const encode = (): Promise<Payloads> => encodeItem(key, settled);
    const late = (): Error => new Error('no answer in time');
    // As a reference or not at all; its batch waits for that.
    if (!isKept(settled)) {
      const encoding = inTurn('deliver', settled, encode);
      return inTime(encoding, PATIENCE, late).catch(() => undefined);
    }
    return inTurn('keep', settled, () =>
      inTime(encode(), SILENCE, late).catch(() => encodeWhole(key, settled)),
    );
  };

  return {
    async seal(key, settled, isItem) {
      const payloads = await (isItem
        ? keepItem(key, settled)
        : inTurn('keep', settled, () => encodeWhole(key, settled)));
      return payloads && JSON.stringify(payloads.map(toJson));
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
