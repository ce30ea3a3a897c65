// #region
import type { SinkItem, SourcePage } from 'patient-http';

const PAGE = 500;

/** `ordersOf` and `save` stand for your database. */
export function createBatchActivities(
  ordersOf: (customer: string, offset: number, limit: number) => Promise<string[]>,
  save: (items: SinkItem[]) => Promise<void>,
) {
  return {
    async ordersToPrice(cursor: number | null, api: string, customer: string): Promise<SourcePage> {
      const offset = cursor ?? 0;
      const orders = await ordersOf(customer, offset, PAGE);
      return {
        requests: orders.map((order) => `${api}/price/${order}`),
        cursor: orders.length === PAGE ? offset + PAGE : null,
      };
    },
    // At least once for each index: an upsert, not an insert.
    savePrices: (items: SinkItem[]): Promise<void> => save(items),
  };
}
// #endregion
