import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Ends the child when this process is gone, even killed: a shell waits on a pipe that only we hold
 * open. (Servers do not watch their standard input.) Resolves when the watch is over, which it is
 * once the child is `gone`.
 */
export async function endWithUs(child: ChildProcess, gone: Promise<unknown>): Promise<void> {
  if (process.platform === 'win32' || child.pid === undefined) return;
  const watcher = spawn('sh', ['-c', 'read line; kill -9 "$0"', String(child.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const ended = new Promise((resolve) => watcher.once('close', resolve).once('error', resolve));
  // At once, before the number can belong to another process.
  void gone.then(() => watcher.kill('SIGKILL'));
  await ended;
}
