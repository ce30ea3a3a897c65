import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections stand, nothing passes, nobody is told: a half-open network. */
  freeze(): void;
  /** The same for those connections of now that have sent this text. */
  freezeThose(text: string): void;
  /** Ends all connections and refuses new ones. */
  cut(): void;
  /** Works again; what was frozen is lost. */
  restore(): void;
}

/** Forwards TCP to a port of 127.0.0.1, until told otherwise. */
export async function startTcpProxy(target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const sent = new Map<Socket, string>();
  const frozen = new Set<Socket>();
  let state: 'open' | 'frozen' | 'cut' = 'open';
  const server = createServer((client) => {
    if (state === 'cut') return client.destroy();
    const upstream = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (data) => {
        if (from === client) sent.set(client, (sent.get(client) ?? '') + data.toString('latin1'));
        if (state === 'open' && !frozen.has(client)) to.write(data);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        sent.delete(client);
        to.destroy();
      });
    }
    return undefined;
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const drop = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    freeze() {
      state = 'frozen';
    },
    freezeThose(text) {
      for (const [client, data] of sent) if (data.includes(text)) frozen.add(client);
    },
    cut() {
      state = 'cut';
      drop();
    },
    restore() {
      drop();
      state = 'open';
    },
    async [Symbol.asyncDispose]() {
      server.close();
      drop();
      await once(server, 'close');
    },
  };
}
