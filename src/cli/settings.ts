import { optionsFromEnvironment } from '../config/environment.ts';
import { resolveOptions, type PatientOptions, type ResolvedOptions } from '../config/options.ts';

/**
 * What `PATIENT_*` variables say, the same for a command as for a worker, and what a flag says instead.
 * @throws ConfigError that names every wrong one
 */
export function cliOptions(flags: PatientOptions = {}): ResolvedOptions {
  return resolveOptions({ ...optionsFromEnvironment(process.env), ...flags });
}
