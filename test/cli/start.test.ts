import { expect, inject, test } from 'vitest';
import { run, start } from './process.ts';

test(
  'a Temporal, its UI and a worker; a first request; SIGINT ends it all',
  { timeout: 60_000 },
  async () => {
    await using stack = start(['dist/src/cli/main.js', 'start'], {
      TEMPORAL_CLI_PATH: inject('temporalCli'),
      PATIENT_CONNECT_TIMEOUT: '2s',
    });
    await stack.prints('Ctrl-C stops it all');
    const [, uiUrl = ''] = /Temporal UI: (\S+)/.exec(stack.stdout) ?? [];
    expect((await fetch(uiUrl, { headers: { connection: 'close' } })).status).toBe(200);

    const [, cli = '', address = ''] = /^ {2}(\S+) workflow execute --address (\S+)/m.exec(
      stack.stdout,
    )!;
    expect(cli).toBe(inject('temporalCli'));
    const input = JSON.stringify({ url: 'http://127.0.0.1:1' });
    const request = ['--type', 'patientGet', '--task-queue', 'patient-http', '--input', input];
    const { stdout } = await run([cli, 'workflow', 'execute', '--address', address, ...request]);
    expect(stdout).toContain('address 127.0.0.1 is blocked');

    stack.kill('SIGINT');
    const { code, stderr } = await stack.end();
    expect(code, stderr).toBe(0);
    await expect(fetch(uiUrl)).rejects.toThrow();
  },
);
