import { setImmediate } from 'node:timers/promises';
import { BULK } from './bulk.ts';

/** Items in one call, which Redis does nothing else beside. */
const MAX_ITEMS = 100;

interface Group {
  /** Names and values in turn. */
  fields: string[];
  size: number;
  kept: Promise<boolean>;
}

/**
 * Outcomes of a batch's items, which come by the hundred: those of one turn of the event loop are
 * kept by one call, a large one by its own.
 */
export class ItemSettlements {
  readonly #keep: (id: string, fields: string[]) => Promise<boolean>;
  readonly #groups = new Map<string, Group>();

  /** `keep`: fields and their values, of the batch with this id. Never rejects. */
  constructor(keep: (id: string, fields: string[]) => Promise<boolean>) {
    this.#keep = keep;
  }

  add(id: string, field: string, value: string): Promise<boolean> {
    const open = this.#groups.get(id);
    const group = open && hasRoom(open, value) ? open : this.#open(id);
    group.fields.push(field, value);
    group.size += value.length;
    return group.kept;
  }

  #open(id: string): Group {
    const group: Group = {
      ...{ fields: [], size: 0 },
      kept: setImmediate().then(() => this.#close(id, group)),
    };
    this.#groups.set(id, group);
    return group;
  }

  #close(id: string, group: Group): Promise<boolean> {
    if (this.#groups.get(id) === group) this.#groups.delete(id);
    return this.#keep(id, group.fields);
  }
}

function hasRoom({ fields, size }: Group, value: string): boolean {
  return fields.length < 2 * MAX_ITEMS && size + value.length <= BULK;
}
