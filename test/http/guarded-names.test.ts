import dns from 'node:dns';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTargetServer } from '../../src/testing/target-server.ts';
import type { TargetServer } from '../../src/testing/target-server.ts';
import { BLOCKED, Sender, STRICT } from './support.ts';

/** Names need answers that no resolver of the machine gives; the sockets are real. */
describe('names', () => {
  type Answers = (host: string) => dns.LookupAddress[];
  const lookups = vi.spyOn(dns, 'lookup');
  const resolveAs = (answers: Answers): void => {
    lookups.mockClear();
    lookups.mockImplementation(((
      host: string,
      _options: unknown,
      done: (...args: unknown[]) => void,
    ) => setImmediate(done, null, answers(host))) as never);
  };
  afterAll(() => lookups.mockRestore());

  let target: TargetServer;
  beforeAll(async () => void (target = await startTargetServer()));
  afterAll(() => target.close());

  test('every address counts, not only the first', async () => {
    await using sender = new Sender({ allowPrivateAddresses: false });
    resolveAs(() => [
      { address: '8.8.8.8', family: 4 },
      { address: '127.0.0.1', family: 4 },
    ]);
    const error = await sender.fail({ url: `http://mixed.example:${target.port}/` });
    expect(error).toMatchObject(BLOCKED);
    expect(error.message).toContain('mixed.example is at 127.0.0.1');
  });

  test('allowHosts lets a name through, denyHosts stops it before it is looked up', async () => {
    const allowHosts = ['*.inside.example'];
    resolveAs(() => [{ address: '127.0.0.1', family: 4 }]);
    const url = (name: string) => `http://${name}.inside.example:${target.port}/echo`;

    await using sender = new Sender({ ...STRICT, allowHosts });
    expect(await sender.get(url('A'))).toMatchObject({ status: 200 });
    const around = `http://a.inside.example.other.example:${target.port}/echo`;
    expect(await sender.fail({ url: around })).toMatchObject(BLOCKED);
    // The address by itself is not what was allowed.
    expect(await sender.fail({ url: target.url('/echo') })).toMatchObject(BLOCKED);

    lookups.mockClear();
    const denyHosts = ['denied.inside.example'];
    await using strict = new Sender({ allowHosts, denyHosts });
    for (const name of ['denied', 'DENIED', 'd%65nied', 'ｄenied']) {
      const error = await strict.fail({ url: url(name) });
      expect(error).toMatchObject(BLOCKED);
      expect(error.message).toMatch(/host denied\.inside\.example is denied \(denyHosts\)$/);
    }
    expect(lookups).not.toHaveBeenCalled();
    const to = encodeURIComponent(url('denied'));
    const hop = await strict.fail({
      url: `${url('b').replace('/echo', '')}/redirect-to?url=${to}`,
    });
    expect(hop).toMatchObject({ ...BLOCKED, phase: 'sent' });
  });

  test('the answer that was checked is the one connected to', async () => {
    await using sender = new Sender({
      allowPrivateAddresses: false,
      allowAddresses: ['127.0.0.1'],
    });
    let asked = 0;
    resolveAs(() => [{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.9', family: 4 }]);
    expect((await sender.get(`http://rebind.example:${target.port}/echo`)).status).toBe(200);
    expect(asked).toBe(1);
    const closing = { headers: { connection: 'close' } };
    await sender.get(`http://rebind.example:${target.port}/echo`, closing); // on the first connection
    const error = await sender.fail({ url: `http://rebind.example:${target.port}/echo` });
    expect(error.message).toContain('rebind.example is at 127.0.0.9');
  });

  test('concurrent lookups of one name are one', async () => {
    await using sender = new Sender();
    resolveAs(() => [{ address: '127.0.0.1', family: 4 }]);
    const urls = Array.from(
      { length: 50 },
      (_, i) => `http://${i % 2 ? 'a' : 'b'}.example:${target.port}/echo`,
    );
    const responses = await Promise.all(urls.map((url) => sender.get(url)));
    expect(responses.every(({ status }) => status === 200)).toBe(true);
    expect(lookups).toHaveBeenCalledTimes(2);
  });
});
