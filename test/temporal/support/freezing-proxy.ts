import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy that can stop passing on what it gets, as a network does that loses all packets. */
export interface FreezingProxy extends AsyncDisposable {
  readonly address: string;
  freeze(): void;
  /** Only what the target says. */
  freezeAnswers(): void;
  /** Passes on all that it got meanwhile. */
  thaw(): void;
}

export async function startFreezingProxy(target: string): Promise<FreezingProxy> {
  const [host, port] = target.split(':') as [string, string];
  const sockets = new Set<Socket>();
  const upstreams = new WeakSet<Socket>();
  let frozen = false;
  const join = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (data) => to.write(data));
    from.on('error', () => undefined);
    from.once('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    if (frozen) from.pause();
  };
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    upstreams.add(upstream);
    join(client, upstream);
    join(upstream, client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    freeze() {
      frozen = true;
      for (const socket of sockets) socket.pause();
    },
    freezeAnswers() {
      for (const socket of sockets) if (upstreams.has(socket)) socket.pause();
    },
    thaw() {
      frozen = false;
      for (const socket of sockets) socket.resume();
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}
