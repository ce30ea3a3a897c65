import { KeptOutcomeError } from '../shared/errors.ts';
import type { RequestKey } from '../shared/request-key.ts';
import { BULK } from './bulk.ts';
import type { ItemOutcomes, OutcomeSeal } from './port.ts';

/** Where the outcome of the item at this position is in its batch's record. */
export function itemField(position: number): string {
  return `outcome:${position}`;
}

export interface ItemSource {
  /** Of the batch. */
  key: RequestKey;
  /** Bytes of each item's outcome; 0 of one that has none. */
  sizes: number[];
  /** Gives them in order; null for one that is gone by now. */
  read: (fields: string[], bytes: number) => Promise<(string | null)[]>;
  /** Tells in its place what cannot be read. */
  skipsUnreadable: boolean;
}

/** Reads what all items have ended with, as much at a time as one answer may have. */
export async function readItems(
  seal: OutcomeSeal,
  { key, sizes, read, skipsUnreadable }: ItemSource,
): Promise<ItemOutcomes> {
  const outcomes: ItemOutcomes = sizes.map(() => undefined);
  for (const { positions, bytes } of partsOf(sizes)) {
    const sealed = read(positions.map(itemField), bytes);
    await Promise.all(
      positions.map(async (index, i) => {
        try {
          const text = (await sealed)[i];
          if (text) outcomes[index] = await seal.open({ ...key, index }, text);
        } catch (error) {
          if (!skipsUnreadable || !(error instanceof KeptOutcomeError)) throw error;
          outcomes[index] = error;
        }
      }),
    );
  }
  return outcomes;
}

interface Part {
  positions: number[];
  bytes: number;
}

function partsOf(sizes: number[]): Part[] {
  const parts: Part[] = [];
  for (const [position, size] of sizes.entries()) {
    if (size === 0) continue;
    const last = parts.at(-1);
    if (last && last.bytes + size <= BULK) {
      last.positions.push(position);
      last.bytes += size;
    } else {
      parts.push({ positions: [position], bytes: size });
    }
  }
  return parts;
}
