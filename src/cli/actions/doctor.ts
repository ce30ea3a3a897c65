import { styleText } from 'node:util';
import type { ResolvedOptions } from '../../config/options.ts';
import { problem, type Check, type Status } from '../doctor/check.ts';
import { checkCodec } from '../doctor/codec.ts';
import { checkMachine } from '../doctor/machine.ts';
import { checkRedis } from '../doctor/redis.ts';
import { checkHeartbeats, checkReadable, checkTemporal } from '../doctor/temporal.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { describeFailure, oneLine } from '../failure.ts';
import { withFleet } from '../fleet.ts';
import { printJson, wantsJson } from '../output.ts';
import { cliOptions } from '../settings.ts';
import { withTemporal } from '../temporal-client.ts';

export interface DoctorFlags {
  strict?: boolean;
  json?: boolean;
}

/** `patient doctor` */
export async function doctor(flags: DoctorFlags): Promise<ExitCode> {
  const options = cliOptions();
  const redis = await checkRedis(options);
  const checks = [
    ...(await aboutTemporal(options, redis)),
    ...redis,
    await checkCodec(options),
    ...checkMachine(options),
  ];
  if (wantsJson(flags)) printJson(checks);
  else print(checks);
  const counts = (status: Status): number => checks.filter((each) => each.status === status).length;
  const isWrong = counts('problem') > 0 || (flags.strict === true && counts('warning') > 0);
  return isWrong ? EXIT.failed : EXIT.done;
}

/** One that cannot be reached is a line too, and the rest is looked at all the same. */
async function aboutTemporal(options: ResolvedOptions, redis: Check[]): Promise<Check[]> {
  const hasFleet =
    options.redisUrl !== undefined &&
    !redis.some(({ check, status }) => check === 'redis' && status === 'problem');
  try {
    return await withTemporal(async (access) => {
      const processes = hasFleet
        ? await withFleet('doctor', (fleet) => fleet.processes())
        : undefined;
      const living = processes?.filter(({ leaseLeft }) => leaseLeft > 0);
      return [
        ...(await checkTemporal(access, living)),
        checkHeartbeats(access, living),
        ...(await checkReadable(access)),
      ];
    });
  } catch (error) {
    const fix =
      'start it, or correct TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TEMPORAL_API_KEY, TEMPORAL_TLS…';
    return [problem('temporal', describeFailure(error), fix)];
  }
}

const LABELS: Record<Status, [label: string, colour: 'green' | 'yellow' | 'red']> = {
  ok: ['ok', 'green'],
  warning: ['warning', 'yellow'],
  problem: ['problem', 'red'],
};

function print(checks: Check[]): void {
  const width = Math.max(...checks.map(({ check }) => check.length));
  for (const { check, status, message, fix } of checks) {
    const [label, colour] = LABELS[status];
    const mark = styleText(colour, label.padEnd(7));
    console.log(`${mark}  ${check.padEnd(width)}  ${oneLine(message)}`);
    if (fix !== undefined) console.log(`${' '.repeat(7)}  ${' '.repeat(width)}  → ${fix}`);
  }
}
