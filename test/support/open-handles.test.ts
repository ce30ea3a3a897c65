import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';
import { openHandles } from './open-handles.ts';
import { waitFor } from './wait-for.ts';

const closed = () => waitFor(() => openHandles().length === 0);

test('a server and a socket that nothing uses any more', async () => {
  const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await (await fetch(`http://127.0.0.1:${port}`)).text();
  expect(openHandles()).toEqual(
    expect.arrayContaining([
      expect.stringMatching(`server on .*${port}`),
      expect.stringMatching(`socket .*127.0.0.1:${port}`),
    ]),
  );
  server.close();
  await closed();
});

test('a child process', async () => {
  const child = spawn('sleep', ['60']);
  expect(openHandles()).toEqual([`process ${child.pid} sleep 60`]);
  child.kill();
  await closed();
});

test('a gRPC connection', async () => {
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  expect(openHandles()).toEqual([expect.stringMatching('socket')]);
  await connection.close();
  await closed();
});

test('a native connection and a worker', async () => {
  const connection = await NativeConnection.connect({ address: inject('temporalAddress') });
  expect(openHandles()).toEqual(['1 native Temporal worker(s) or connection(s)']);
  const worker = await Worker.create({ connection, taskQueue: 'leak', activities: { none() {} } });
  const running = worker.run();
  expect(openHandles()).toEqual(['2 native Temporal worker(s) or connection(s)']);
  worker.shutdown();
  await running;
  await connection.close();
  await closed();
});
