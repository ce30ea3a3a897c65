import { ConfigError } from '../shared/errors.ts';
import { DEFAULT_PERIOD, LONGEST_INTERVAL, type FlowLimits } from '../shared/flow-limits.ts';

/**
 * What is to be set for `change`, where `inForce` counts so far. A rate and its period are one: whichever
 * is not named is set as it is in force, and so stays whatever specs and options say later.
 * @throws ConfigError that names what the key has no rate for
 */
export function completed(change: FlowLimits, inForce: FlowLimits): FlowLimits {
  const named = Object.entries(change).filter(([, value]) => value !== undefined);
  const given: FlowLimits = Object.fromEntries(named);
  const { rate, period = DEFAULT_PERIOD } = { ...inForce, ...given };
  for (const name of ['period', 'burst'] as const) {
    if (given[name] === undefined || rate !== undefined) continue;
    throw new ConfigError(
      `limits.${name}: expected a rate beside it, for the key has none, got ${given[name]}`,
    );
  }
  if (rate === undefined || (given.rate ?? given.period) === undefined) return given;
  if (period / rate > LONGEST_INTERVAL) {
    const got = `${rate} in ${period} ms`;
    throw new ConfigError(`limits.rate: expected at least one unit in 24.8 days, got ${got}`);
  }
  return { ...given, rate, period };
}
