import type { Payload } from '@temporalio/common';
import { MAX_PAYLOAD_BYTES } from '../shared/constants.ts';
import { PayloadError } from '../shared/errors.ts';
import { inTime } from '../shared/in-time.ts';
import type { PayloadStore } from '../shared/payload-store.ts';
import { MAX_CALLBACK_ARGS_BYTES } from '../shared/spec-size.ts';
import { bytesOf, gather } from './bytes.ts';
import { fromBytes, messageOf, metadataOf, textOf, type Draft, type Step } from './payload.ts';
import { claimId, isClaimId, matches, reasonOf } from './store.ts';

const ENCODING = 'claim-checked';
const STORE = 'payload-store';
/**
 * Bytes that Temporal would not take, with what surrounds them and callbackArgs as large as they may
 * be: they are stored whatever the threshold.
 */
const MOST_INLINE = MAX_PAYLOAD_BYTES - MAX_CALLBACK_ARGS_BYTES - 64 * 1024;
/** ms for all of a payload, which can be hundreds of megabytes. */
const TIMEOUT = 5 * 60_000;

/** A payload above the threshold goes to the store, and history gets its id. */
export class ClaimCheck implements Step {
  readonly #store: PayloadStore | undefined;
  readonly #threshold: number;

  constructor(store: PayloadStore | undefined, threshold: number) {
    this.#store = store;
    this.#threshold = Math.min(threshold, MOST_INLINE);
  }

  async wrap(draft: Draft): Promise<Draft> {
    const store = this.#store;
    if (!store || draft.data.length <= this.#threshold) return draft;
    const bytes = await gather(messageOf(draft));
    const id = await claimId(bytes);
    await answer(() => store.put(id, bytes)).catch((cause: unknown) => {
      const what = `cannot store a payload of ${bytes.length} bytes`;
      throw new PayloadError(`payloadStore: ${store.name} ${what}: ${reasonOf(cause)}`, { cause });
    });
    return {
      metadata: metadataOf({ encoding: ENCODING, [STORE]: store.name }),
      data: bytesOf(Buffer.from(id)),
    };
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
    const bytes = await answer(() => store.get(id)).catch((cause: unknown) => {
      const message = `payloadStore: ${store.name} cannot give payload ${id}: ${reasonOf(cause)}`;
      throw new PayloadError(message, { cause });
    });
    if (!bytes) throw new PayloadError(`payloadStore: ${missing(id, origin, store)}`);
    if (!(await matches(id, bytes))) {
      throw new PayloadError(`payloadStore: payload ${id} in ${store.name} is not what was stored`);
    }
    return fromBytes(bytes);
  }
}

/** A file system or a store of the user's may never answer, and somebody waits. */
function answer<T>(work: () => Promise<T>): Promise<T> {
  // It may also throw at once.
  const working = Promise.resolve().then(work);
  return inTime(working, TIMEOUT, () => new Error(`no answer in ${TIMEOUT} ms`));
}

function missing(id: string, origin: string, { name }: PayloadStore): string {
  const place = origin === name ? name : `${name} (it was put into ${origin})`;
  return `payload ${id} is not in ${place}: deleted, by age or by hand`;
}
