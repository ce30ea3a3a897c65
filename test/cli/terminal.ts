import { fileURLToPath } from 'node:url';
import { start, type RunningProcess } from './process.ts';

const PTY = fileURLToPath(new URL('./terminal.py', import.meta.url));

export interface Terminal extends RunningProcess {
  /** Presses keys; `\x03` is Ctrl-C, `\t` Tab. */
  type(keys: string): void;
}

/** A command at a terminal of its own, 120 columns wide; what it prints is `stdout`. */
export function startTerminal(command: string[], env: Record<string, string> = {}): Terminal {
  const isScript = command[0]?.startsWith('dist/');
  const whole = isScript ? [process.execPath, ...command] : command;
  const child = start(['python3', PTY, ...whole], env, { stdin: 'pipe' });
  return Object.assign(child, {
    type: (keys: string) => void child.stdin!.write(`${JSON.stringify(keys)}\n`),
  });
}
