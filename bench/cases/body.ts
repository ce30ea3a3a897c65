import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import type { PatientOptions } from '../../src/index.ts';
import type { Environment } from '../environment.ts';
import { startPeer, type Peer } from '../peer.ts';
import type { patient } from '../peers/patient.ts';
import type { reader } from '../peers/reader.ts';
import type { CaseResult, Row } from '../report.ts';
import { startStores } from './payload.ts';

const MIB = 1024 * 1024;
const encryptionKeys = [`bench:${Buffer.alloc(32, 1).toString('base64')}`];

const WRAPPINGS: Record<string, PatientOptions> = {
  nothing: {},
  compression: { compress: true },
  encryption: { encryptionKeys },
  both: { compress: true, encryptionKeys },
};

type Measured = Pick<Peer<typeof reader>, 'call'>;

/**
 * The memory that one large body takes while nothing else is in flight: in the process that receives
 * it, stores it and whose workflow hands it on, and in one whose workflow reads it.
 */
export async function body(
  { temporalAddress: address }: Environment,
  { megabytes }: { megabytes: number },
): Promise<CaseResult> {
  await using stores = await startStores();
  const size = megabytes * MIB;
  const target = await startTarget(size);
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection });
  const rows: Row[] = [];
  try {
    for (const [store, payloadStore] of Object.entries(stores.urls)) {
      for (const [wrapping, options] of Object.entries(WRAPPINGS)) {
        const taskQueue = `body-${store}-${wrapping}`;
        const queues = { requests: taskQueue, own: `${taskQueue}-own` };
        const shared = { address, payloadStore, ...options };
        await using worker = await startPeer<typeof patient>('patient');
        await using user = await startPeer<typeof reader>('reader');
        const limits = { maxConnections: 10, maxResponseSize: size };
        await worker.call('start', { ...shared, ...limits, taskQueue, userAgent: 'bench' });
        await user.call('start', { ...shared, taskQueue: queues.own });
        const get = (path: string, spec = {}): Promise<void> =>
          run(client, 'patientGet', taskQueue, { url: target.url(path), timeout: '5m', ...spec });
        const read = (path: string): Promise<void> =>
          run(client, 'patientCall', queues.own, { url: target.url(path), taskQueue });
        await get('/small');
        await read('/small');
        const handed = await meter(worker, size);
        const inline = await meter(user, size);
        // Started and left: nobody works on that queue.
        const callback = { workflow: 'told', taskQueue: `${taskQueue}-nobody` };
        rows.push({
          store,
          with: wrapping,
          text: await handed(() => get('/text')),
          bytes: await handed(() => get('/bytes')),
          'text to a callback': await handed(() => get('/text', { callback, result: 'none' })),
          'text read by a workflow': await inline(() => read('/text')),
        });
      }
    }
  } finally {
    await connection.close();
    target.close();
  }
  const remarks = ['Peak RSS above the idle process, in sizes of the body.'];
  return { title: 'One large body', parameters: { MiB: megabytes }, rows, remarks, rounds: rows };
}

/** Gives what a piece of work adds at most to the memory that the process has now. */
async function meter(peer: Measured, size: number) {
  const { rss: idle } = await peer.call('usage', { gc: true });
  return async (work: () => Promise<void>): Promise<number> => {
    await peer.call('usage', { gc: true });
    await peer.call('resetPeakRss');
    await work();
    return ((await peer.call('peakRss')) - idle) / size;
  };
}

/** Waits for its end, not for its result: that is nothing to this process. */
async function run(
  client: Client,
  type: string,
  taskQueue: string,
  argument: unknown,
): Promise<void> {
  const workflowId = randomUUID();
  const handle = await client.workflow.start(type, { taskQueue, workflowId, args: [argument] });
  for (;;) {
    const { status } = await handle.describe();
    if (status.name === 'COMPLETED') return;
    if (status.name !== 'RUNNING') throw new Error(`${type} on ${taskQueue}: ${status.name}`);
    await delay(100);
  }
}

/** JSON that compresses by a quarter, and bytes that do not at all. */
async function startTarget(size: number): Promise<{ url(path: string): string; close(): void }> {
  const bytes = randomBytes(MIB);
  const ending = '","id":"12345\n';
  const digits = randomBytes(MIB)
    .toString('base64')
    .slice(0, MIB - ending.length);
  const text = Buffer.from(`${digits}${ending}`);
  const server = createServer(({ url }, response) => {
    if (url === '/small') return void response.end('{}');
    const isText = url === '/text';
    response.setHeader('content-type', isText ? 'application/json' : 'application/octet-stream');
    void send(response, isText ? text : bytes, size);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: (path) => `http://127.0.0.1:${port}${path}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function send(response: ServerResponse, piece: Buffer, size: number): Promise<void> {
  response.setHeader('content-length', size);
  for (let left = size; left > 0; left -= piece.length) {
    if (!response.write(piece.subarray(0, left))) await once(response, 'drain');
  }
  response.end();
}
