import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Connections stand, nothing passes, nobody is told: a half-open network. */
  freeze(): void;
  /** What is sent arrives, and no answer comes back. */
  mute(): void;
  /** As `freeze`, for those connections of now that have sent this text. */
  freezeThose(text: string): void;
  /** As `freeze`, for the next `count` connections that send this text. */
  freezeNext(text: string, count: number): void;
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
  let next = { text: '', count: 0 };
  let state: 'open' | 'muted' | 'frozen' | 'cut' = 'open';
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
        if (from === client && next.count > 0 && data.includes(next.text)) {
          next.count--;
          frozen.add(client);
        }
        const passes = state === 'open' || (state === 'muted' && from === client);
        if (passes && !frozen.has(client)) to.write(data);
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
    mute() {
      state = 'muted';
    },
    freezeThose(text) {
      for (const [client, data] of sent) if (data.includes(text)) frozen.add(client);
    },
    freezeNext(text, count) {
      next = { text, count };
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
