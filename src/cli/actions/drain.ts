import { setTimeout as delay } from 'node:timers/promises';
import type { Fleet } from '../../fleet/port.ts';
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { withFleet } from '../fleet.ts';
import { printJson, wantsJson } from '../output.ts';
import { findProcess } from '../processes.ts';
import { untilInterrupted } from '../waiting.ts';

export interface DrainFlags {
  wait?: boolean;
  json?: boolean;
}

/** ms between two looks at a process that drains. */
const PAUSE = 500;

/** `patient drain PROCESS` */
export async function drain(name: string, flags: DrainFlags): Promise<ExitCode> {
  await withFleet('drain', async (fleet) => {
    const { id, drain: outlook } = await findProcess(fleet, name);
    await fleet.drain(id);
    const { handOver, onWire, delivering } = outlook;
    if (wantsJson(flags)) printJson({ process: id, ...outlook });
    else {
      console.log(
        `${id} drains: ${handOver} to hand over, ${onWire} to wait for, ${delivering} to deliver`,
      );
    }
    const message = () => `${id} goes on draining`;
    if (flags.wait) await untilInterrupted(gone(fleet, id), { message });
  });
  return EXIT.done;
}

async function gone(fleet: Fleet, id: string): Promise<void> {
  const isThere = async (): Promise<boolean> =>
    (await fleet.processes()).some((each) => each.id === id && each.leaseLeft > 0);
  while (await isThere()) await delay(PAUSE);
}
