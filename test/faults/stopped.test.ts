import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { requestError, type RequestSpec } from '../../src/index.ts';
import type { RequestHandle } from '../../src/client.ts';
import { startTlsServer } from '../http/support.ts';
import { startFleet, type Fleet } from '../redis/fleet.ts';
import { waitFor } from '../support/wait-for.ts';
import { startFreezingProxy } from '../temporal/support/freezing-proxy.ts';
import { startCaller, tally } from './caller.ts';

const RECOVERED = 60_000;
const CERTIFICATE = fileURLToPath(new URL('../http/tls/cert.pem', import.meta.url));

/** Whether Temporal has the mark, without which the request is not sent. */
async function isMarked(fleet: Fleet, { requestId }: RequestHandle): Promise<boolean> {
  const { raw } = await fleet.client.workflow.getHandle(requestId).describe();
  const data = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0]?.data;
  return data ? (JSON.parse(Buffer.from(data).toString()) as { sent: boolean }).sent : false;
}

async function ownerOf({ redis: { redis }, taskQueue }: Fleet): Promise<string | null> {
  const [request] = await redis.keys(`patient:{default/${taskQueue}}:request:*`);
  return request ? await redis.hget(request, 'owner') : null;
}

test('a process is stopped for longer than its lease: no POST is sent twice', async () => {
  const COUNT = 40;
  await using fleet = await startFleet({ target: { record: false } });
  const { target, redis, taskQueue } = fleet;
  const [stopped] = await Promise.all([fleet.worker(), fleet.worker()]);
  await using caller = await startCaller(fleet);
  const paths = Array.from({ length: 2 * COUNT }, (_, i) => `/hold/${i}`);
  const outcomes = await caller.call(
    paths.map((path, i): RequestSpec => {
      const method = i < COUNT ? 'GET' : 'POST';
      return { method, url: target.url(path), heartbeatTimeout: 5_000 };
    }),
  );
  await target.waitFor(({ inFlight }) => inFlight === 2 * COUNT);

  stopped.kill('SIGSTOP');
  const leases = `patient:{default/${taskQueue}}:leases`;
  await expect.poll(() => redis.redis.zcard(leases), { timeout: RECOVERED }).toBe(1);
  stopped.kill('SIGCONT');
  await expect.poll(() => redis.redis.zcard(leases), { timeout: RECOVERED }).toBe(2);
  // Some are sent again, at their own time: the target holds these too.
  const ended = outcomes();
  const releases = setInterval(() => target.release(), 5_000);
  const counts = tally(await ended.finally(() => clearInterval(releases)));
  const unknown = counts.OutcomeUnknownError ?? 0;
  expect(counts).toEqual({
    200: 2 * COUNT - unknown,
    ...(unknown && { OutcomeUnknownError: unknown }),
  });
  expect(unknown).toBeLessThanOrEqual(COUNT);
  expect(Math.max(...paths.slice(0, COUNT).map((path) => target.count(path)))).toBeLessThan(3);
  expect(paths.slice(COUNT).map((path) => target.count(path))).toEqual(Array(COUNT).fill(1));
});

test('stopped between the mark and the first byte: sent by nobody else', async () => {
  await using fleet = await startFleet();
  const { target } = fleet;
  await using network = await startFreezingProxy(inject('temporalAddress'));
  const stopped = await fleet.worker({ TEMPORAL_ADDRESS: network.address });
  const post = await fleet.patient.submit.post(target.url('/echo'), { json: { amount: 1 } });
  // The connection stands, and the mark is on its way: its answer does not arrive.
  await target.waitFor(({ connections }) => connections === 1);
  network.freezeAnswers();
  await waitFor(() => isMarked(fleet, post));
  stopped.kill('SIGSTOP');
  network.thaw();
  expect(target.total).toBe(0);

  const owner = await ownerOf(fleet);
  await fleet.worker();
  await expect.poll(() => ownerOf(fleet), { timeout: RECOVERED }).not.toBe(owner);
  stopped.kill('SIGCONT');
  const outcome = await post.result().then(
    (response) => response?.status,
    (error: unknown) => requestError(error)?.type,
  );
  // Its answer is there when it goes on, and it may send before it learns that it is too late.
  await expect.poll(() => ownerOf(fleet), { timeout: RECOVERED }).toBeNull();
  if (outcome === 200) expect(target.total).toBe(1);
  else expect(outcome).toBe('OutcomeUnknownError');
  expect(target.total).toBeLessThanOrEqual(1);
});

test('a POST whose sender is killed before the mark is sent once, by another', async () => {
  let hits = 0;
  await using target = await startTlsServer((_, response) => {
    hits++;
    response.end('paid');
  });
  const { port } = target.server.address() as AddressInfo;
  // The first connection never gets a word of TLS, so nothing is ready to be sent on it.
  const sockets: Socket[] = [];
  const door = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
    if (sockets.length === 1) return;
    const inner = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.pipe(inner).pipe(socket);
    socket.once('close', () => inner.destroy());
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  await using fleet = await startFleet({ env: { NODE_EXTRA_CA_CERTS: CERTIFICATE } });
  const victim = await fleet.worker();
  const url = `https://127.0.0.1:${(door.address() as AddressInfo).port}/`;
  const post = await fleet.patient.submit.post(url, { json: { amount: 1 } });
  await waitFor(() => sockets.length === 1);
  expect(await isMarked(fleet, post)).toBe(false);
  victim.kill('SIGKILL');
  await fleet.worker();
  expect(await post.result()).toMatchObject({ status: 200, attempt: 1, body: 'paid' });
  expect(hits).toBe(1);
  for (const socket of sockets) socket.destroy();
  door.close();
  await once(door, 'close');
});
