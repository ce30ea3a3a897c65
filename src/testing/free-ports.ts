import { once } from 'node:events';
import { type AddressInfo, type Server, createServer } from 'node:net';

/**
 * Free ports where none is wanted. All are held until the last is known, so that they differ; the
 * wanted ones too, for another server there would answer in place of ours.
 */
export async function freePorts(wanted: (number | undefined)[]): Promise<number[]> {
  const holders: Server[] = [];
  try {
    for (const port of wanted) {
      const holder = createServer().listen(port ?? 0, '127.0.0.1');
      await once(holder, 'listening');
      holders.push(holder);
    }
    return holders.map((holder) => (holder.address() as AddressInfo).port);
  } finally {
    await Promise.all(holders.map((holder) => once(holder.close(), 'close')));
  }
}
