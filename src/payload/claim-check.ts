import type { Payload } from '@temporalio/common';
import { PayloadError } from '../shared/errors.ts';
import type { PayloadStore } from '../shared/payload-store.ts';
import { fromBytes, payloadOf, textOf, toBytes, type Step } from './payload.ts';
import { claimId, isClaimId, matches, reasonOf } from './store.ts';

const ENCODING = 'claim-checked';
const STORE = 'payload-store';

/** A payload above the threshold goes to the store, and history gets its id. */
export class ClaimCheck implements Step {
  readonly #store: PayloadStore | undefined;
  readonly #threshold: number;

  constructor(store: PayloadStore | undefined, threshold: number) {
    this.#store = store;
    this.#threshold = threshold;
  }

  async wrap(payload: Payload): Promise<Payload> {
    const store = this.#store;
    if (!store || (payload.data?.length ?? 0) <= this.#threshold) return payload;
    const bytes = toBytes(payload);
    const id = claimId(bytes);
    await store.put(id, bytes).catch((cause: unknown) => {
      const what = `cannot store a payload of ${bytes.length} bytes`;
      throw new PayloadError(`payloadStore: ${store.name} ${what}: ${reasonOf(cause)}`, { cause });
    });
    return payloadOf({ encoding: ENCODING, [STORE]: store.name }, Buffer.from(id));
  }

  async unwrap(payload: Payload): Promise<Payload> {
    const origin = textOf(payload, STORE);
    if (origin === undefined || textOf(payload, 'encoding') !== ENCODING) return payload;
    const id = Buffer.from(payload.data ?? []).toString();
    if (!isClaimId(id)) throw new PayloadError(`payloadStore: ${origin} has no ids of this form`);
    const store = this.#store;
    if (!store) {
      throw new PayloadError(
        `payloadStore: payload ${id} is in ${origin}; this process has no store`,
      );
    }
    const bytes = await store.get(id).catch((cause: unknown) => {
      const message = `payloadStore: ${store.name} cannot give payload ${id}: ${reasonOf(cause)}`;
      throw new PayloadError(message, { cause });
    });
    if (!bytes) throw new PayloadError(`payloadStore: ${missing(id, origin, store)}`);
    if (!matches(id, bytes)) {
      throw new PayloadError(`payloadStore: payload ${id} in ${store.name} is not what was stored`);
    }
    return fromBytes(bytes);
  }
}

function missing(id: string, origin: string, { name }: PayloadStore): string {
  const place = origin === name ? name : `${name} (it was put into ${origin})`;
  return `payload ${id} is not in ${place}: deleted, by age or by hand`;
}
