import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { createRequire } from 'node:module';
import { Server, Socket } from 'node:net';

const sockets = new Set<Socket>();
const require = createRequire(import.meta.url);

/** Idle keep-alive and gRPC sockets let the process end, so Node's own list leaves them out. */
export function trackSockets(): void {
  for (const channel of ['net.client.socket', 'net.server.socket']) {
    subscribe(channel, (message) => {
      const { socket } = message as { socket: Socket };
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    });
  }
}

/** What this process holds open and a test must have closed, in words. Timers are not watched. */
export function openHandles(): string[] {
  return [...[...sockets].map(describeSocket), ...listed(), ...nativeHandles()];
}

function listed(): string[] {
  // Undocumented, but `process.getActiveResourcesInfo()` has no more than the kinds.
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): unknown[] };
  return handles.call(process).flatMap((handle) => {
    if (handle instanceof Server) return [`server on ${JSON.stringify(handle.address())}`];
    if (isChild(handle)) return [`process ${handle.pid} ${handle.spawnargs.join(' ')}`];
    return [];
  });
}

function isChild(handle: unknown): handle is ChildProcess {
  return (handle as object).constructor.name === 'ChildProcess';
}

function describeSocket(socket: Socket): string {
  return `socket ${socket.localPort} → ${socket.remoteAddress}:${socket.remotePort}`;
}

/** The native half is out of Node's sight; its runtime counts who still uses it. */
function nativeHandles(): string[] {
  const path = require.resolve('@temporalio/worker/lib/runtime');
  const loaded = require.cache[path]?.exports as
    { Runtime: { _instance?: { backRefs: Set<object> } } } | undefined;
  const users = loaded?.Runtime._instance?.backRefs.size ?? 0;
  return users === 0 ? [] : [`${users} native Temporal worker(s) or connection(s)`];
}
