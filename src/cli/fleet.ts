import { openFleet } from '../fleet/open.ts';
import type { Fleet } from '../fleet/port.ts';
import { CliError } from './failure.ts';
import { cliOptions } from './settings.ts';
import { temporalSettings } from './temporal-settings.ts';

/**
 * The processes of the queue, for one command.
 * @throws CliError without a Redis to ask
 */
export async function withFleet<T>(
  command: string,
  use: (fleet: Fleet) => Promise<T>,
  { redisUrl, taskQueue } = cliOptions(),
): Promise<T> {
  if (redisUrl === undefined) {
    throw new CliError(
      `${command}: set PATIENT_REDIS_URL; without Redis processes do not know each other`,
    );
  }
  const { namespace = 'default' } = temporalSettings();
  await using fleet = await openFleet({ redisUrl, namespace, taskQueue });
  return await use(fleet);
}
