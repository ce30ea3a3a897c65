import type { FlowAdmin } from '../flow/port.ts';
import type { RedisLiveness } from '../liveness/redis.ts';
import type { ProcessorObserver } from '../processor/observers.ts';
import type { Attendant } from '../processor/processor.ts';
import type { Log } from '../shared/log.ts';
import { LocalFleet, type LocalFleetOptions } from './local.ts';
import { FleetMember } from './member.ts';
import type { Fleet } from './port.ts';
import { RedisFleet } from './redis.ts';
import { MemoryStatistics } from './statistics-memory.ts';
import { StatisticsRecorder } from './statistics-recorder.ts';
import { RedisStatistics } from './statistics-redis.ts';

export interface WorkerFleetOptions extends Pick<LocalFleetOptions, 'processor' | 'drain'> {
  flow: FlowAdmin;
  /** The liveness' connection, which it has once started; undefined without Redis. */
  redis: RedisLiveness | undefined;
  log: Log;
}

export interface WorkerFleet {
  fleet: Fleet;
  /** For the processor: counts what it does. */
  observer: ProcessorObserver;
  /** For the processor: speaks for it while it runs. */
  attendant: Attendant | undefined;
}

/** The fleet as a worker sees it, and the worker's part in it. */
export function createFleet(options: WorkerFleetOptions): WorkerFleet {
  const { redis, flow, log } = options;
  if (!redis) {
    const store = new MemoryStatistics();
    const recorder = new StatisticsRecorder(store, log);
    const fleet = new LocalFleet({ ...options, recorder, store });
    return { fleet, observer: recorder, attendant: undefined };
  }
  const access = () => redis.access;
  const store = new RedisStatistics(access);
  const recorder = new StatisticsRecorder(store, log);
  const part = new LocalFleet({ ...options, recorder, store, id: redis.owner });
  const member = new FleetMember({ access, part, recorder, log });
  const fleet = new RedisFleet({ access, flow, statistics: store });
  return { fleet, observer: recorder, attendant: member };
}
