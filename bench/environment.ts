import { startTemporalServer } from '../src/testing/temporal-server.ts';
import { startPeer, type Peer } from './peer.ts';
import type { driver as driverMethods } from './peers/driver.ts';
import type { target as targetMethods } from './peers/target.ts';

export type Driver = Peer<typeof driverMethods>;
export type Target = Peer<typeof targetMethods>;

/** What all systems share in a run; each part is a process of its own. */
export interface Environment extends AsyncDisposable {
  temporalAddress: string;
  target: Target;
  /** `http://127.0.0.1:<port>` */
  origin: string;
  driver: Driver;
  /** Queue of the driver's workflows. */
  driverQueue: string;
}

export async function startEnvironment(): Promise<Environment> {
  const started: AsyncDisposable[] = [];
  const keep = <T extends AsyncDisposable>(part: T): T => {
    started.unshift(part);
    return part;
  };
  const stop = async (): Promise<void> => {
    for (const part of started) await part[Symbol.asyncDispose]();
  };
  try {
    const { address } = keep(await startTemporalServer());
    const target = keep(await startPeer<typeof targetMethods>('target'));
    const origin = await target.call('start');
    const driver = keep(await startPeer<typeof driverMethods>('driver'));
    const driverQueue = 'bench';
    await driver.call('start', { address, taskQueue: driverQueue });
    const parts = { temporalAddress: address, target, origin, driver, driverQueue };
    return { ...parts, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
