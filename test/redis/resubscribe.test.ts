import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { setImmediate as turnOver } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { RedisConnection } from '../../src/liveness/redis-connection.ts';
import { startRedis, type RedisServer } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';

/** The way to Redis, on which each subscription but the first is lost. */
async function losing({ port }: RedisServer): Promise<{
  url: string;
  lost: () => number;
  open: () => number;
}> {
  let subscriptions = 0;
  let open = 0;
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    upstream.pipe(client);
    open++;
    client.once('close', () => open--);
    client.on('data', (bytes) => {
      const isSubscription = bytes.toString().includes('\r\nsubscribe\r\n');
      if (!isSubscription || subscriptions++ === 0) upstream.write(bytes);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => undefined).on('close', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port: own } = server.address() as AddressInfo;
  return {
    url: `redis://127.0.0.1:${own}`,
    lost: () => Math.max(0, subscriptions - 1),
    open: () => open,
  };
}

function unhandled(): unknown[] {
  const reasons: unknown[] = [];
  const hear = (reason: unknown): void => void reasons.push(reason);
  process.on('unhandledRejection', hear);
  onTestFinished(() => void process.off('unhandledRejection', hear));
  return reasons;
}

test('a connection that ends while it subscribes again ends nothing else', async () => {
  await using redis = await startRedis();
  const { url, lost, open } = await losing(redis);
  const reasons = unhandled();
  const connection = await RedisConnection.open({ url, timeout: 60_000 });
  await connection.subscribe('news', () => undefined);
  await redis.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await waitFor(() => lost() > 0);
  connection.close();
  await waitFor(() => open() === 0);
  await turnOver();
  expect(reasons).toEqual([]);
});

test('nor does one whose subscription is not answered: it is made anew', async () => {
  await using redis = await startRedis();
  const { url, lost } = await losing(redis);
  const reasons = unhandled();
  const connection = await RedisConnection.open({ url, timeout: 200 });
  await connection.subscribe('news', () => undefined);
  await redis.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await waitFor(() => lost() > 2);
  connection.close();
  expect(reasons).toEqual([]);
});

test('messages come again after a reconnection', async () => {
  await using redis = await startRedis();
  const connection = await RedisConnection.open({ url: redis.url, timeout: 1_000 });
  const heard: string[] = [];
  await connection.subscribe('one', (message) => heard.push(message));
  await connection.subscribe('two', (message) => heard.push(message));
  await redis.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await waitFor(async () => (await redis.redis.publish('one', 'a')) === 1);
  await waitFor(async () => (await redis.redis.publish('two', 'b')) === 1);
  await waitFor(() => heard.includes('a') && heard.includes('b'));
  connection.close();
});
