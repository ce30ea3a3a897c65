import { execFileSync } from 'node:child_process';
import type { ResolvedOptions } from '../../config/options.ts';
import { ok, problem, warning, type Check } from './check.ts';

const NODE = [20, 19] as const;
/** Of Temporal, Redis, logs and Node itself. */
const OTHER_FILES = 100;

export function checkMachine({ maxConnections, maxIdleConnections }: ResolvedOptions): Check[] {
  return [checkNode(), checkFiles(maxConnections + maxIdleConnections + OTHER_FILES)];
}

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isOld = major < NODE[0] || (major === NODE[0] && minor < NODE[1]);
  if (!isOld) return ok('node', process.version);
  return problem('node', process.version, `Patient HTTP needs Node ${NODE.join('.')}`);
}

/** A socket is an open file. */
function checkFiles(need: number): Check {
  const name = 'open files';
  const limit = openFiles();
  if (limit === undefined) return ok(name, 'this system does not tell');
  const message = `${limit} allowed, ${need} needed with all connections open`;
  if (limit >= need) return ok(name, message);
  const fix = `ulimit -n ${need} (systemd: LimitNOFILE, Docker: --ulimit nofile), or a smaller PATIENT_MAX_CONNECTIONS`;
  return warning(name, message, fix);
}

/** Infinity for unlimited; Node has no call for it. */
function openFiles(): number | undefined {
  try {
    const text = execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim();
    return text === 'unlimited' ? Infinity : Number(text) || undefined;
  } catch {
    return undefined;
  }
}
