import { expect, inject, test } from 'vitest';
import { run, start } from './process.ts';

test(
  'a Temporal, its UI, a worker and the playground; a first request; SIGINT ends it all',
  { timeout: 120_000 },
  async () => {
    await using stack = start(['dist/src/cli/main.js', 'start'], {
      TEMPORAL_CLI_PATH: inject('temporalCli'),
      PATIENT_CONNECT_TIMEOUT: '2s',
      PATIENT_SHUTDOWN_TIMEOUT: '2m',
    });
    await stack.prints('Ctrl-C stops it all');
    const [, uiUrl = ''] = /Temporal UI: (\S+)/.exec(stack.stdout) ?? [];
    expect((await fetch(uiUrl, { headers: { connection: 'close' } })).status).toBe(200);
    const [, dashboard = ''] = /Dashboard: (\S+)/.exec(stack.stdout) ?? [];
    const overview = await fetch(dashboard, { headers: { connection: 'close' } });
    expect(await overview.text()).toContain('Nothing needs attention.');

    const [, playground = '', target = ''] = /^Playground: (\S+), slow calls to (\S+)$/m.exec(
      stack.stdout,
    )!;
    const close = { connection: 'close' };
    const page = await (await fetch(playground, { headers: close })).text();
    expect(page).toContain(target);
    expect(page).toContain(`href="${dashboard}"`);
    const fire = (patient: number, plain: number, delay: number) =>
      fetch(`${playground}/fire`, {
        method: 'POST',
        body: new URLSearchParams({
          ...{
            patient: `${patient}`,
            plain: `${plain}`,
            delay: `${delay}`,
            drift: '0',
            errors: '0',
          },
        }),
        headers: { 'sec-fetch-site': 'same-origin', ...close },
      });
    const shown = async (name: string): Promise<number[]> => {
      const text = await (await fetch(playground, { headers: close })).text();
      const figures = text.matchAll(new RegExp(`${name}</dt><dd>(\\d+)`, 'g'));
      return Array.from(figures, ([, figure]) => Number(figure));
    };
    expect((await fire(3, 2, 0)).status).toBe(200);
    await expect.poll(() => shown('Answered')).toEqual([3, 2]);

    const [, cli = '', address = ''] = /^ {2}(\S+) workflow execute --address (\S+)/m.exec(
      stack.stdout,
    )!;
    expect(cli).toBe(inject('temporalCli'));
    const input = JSON.stringify({ url: 'http://127.0.0.1:1' });
    const request = ['--type', 'patientGet', '--task-queue', 'patient-http', '--input', input];
    const { stdout } = await run([cli, 'workflow', 'execute', '--address', address, ...request]);
    expect(stdout).toContain('address 127.0.0.1 is blocked');

    // It waits for no call of the playground, which the drain alone would do until they end.
    await fire(4, 4, 60);
    await expect.poll(() => shown('In flight')).toEqual([4, 4]);
    const before = performance.now();
    stack.kill('SIGINT');
    const { code, stderr } = await stack.end();
    expect(code, stderr).toBe(0);
    expect(performance.now() - before).toBeLessThan(55_000);
    for (const url of [uiUrl, playground, target]) await expect(fetch(url)).rejects.toThrow();
  },
);
