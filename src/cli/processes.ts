import type { Fleet, FleetProcess } from '../fleet/port.ts';
import { NotFoundError, UsageError } from './failure.ts';

/**
 * A living process by its id, or by the beginning of it that no other has.
 * @throws UsageError for no name, as of a shell's variable that is not set: it begins every id
 * @throws NotFoundError
 */
export async function findProcess(fleet: Fleet, name: string): Promise<FleetProcess> {
  if (name === '') throw new UsageError('process: expected an id or the beginning of one, got ""');
  const living = (await fleet.processes()).filter(({ leaseLeft }) => leaseLeft > 0);
  const exact = living.find(({ id }) => id === name);
  const found = exact ? [exact] : living.filter(({ id }) => id.startsWith(name));
  if (found.length === 1) return found[0]!;
  const ids = (found.length > 0 ? found : living).map(({ id }) => id).join(', ');
  if (found.length > 1) throw new UsageError(`${JSON.stringify(name)} can be each of ${ids}`);
  throw new NotFoundError(`no process ${JSON.stringify(name)}; there is ${ids || 'none'}`);
}
