import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { optionsFromEnvironment } from '../../config/environment.ts';
import { resolveOptions } from '../../config/options.ts';
import { createCodecServer } from '../../payload/codec-server.ts';
import { PatientCodec } from '../../payload/patient-codec.ts';
import { isLoopback } from '../../web/access.ts';
import { CliError, UsageError } from '../failure.ts';
import { signalled } from '../signals.ts';

export interface CodecServerFlags {
  host: string;
  port: string;
  origin: string[];
}

const TOKEN = 'PATIENT_CODEC_SERVER_TOKEN';

/** `patient codec-server`: lets Temporal's UI and CLI read payloads, until a signal. */
export async function serveCodec({ host, port, origin }: CodecServerFlags): Promise<number> {
  const token = process.env[TOKEN] || undefined;
  const [number, origins] = [portOf(port), origin.map(originOf)];
  const codec = new PatientCodec(resolveOptions(optionsFromEnvironment(process.env)));
  if (!isLoopback(host) && token === undefined) {
    throw new CliError(`--host ${host}: set ${TOKEN}; who reaches this port reads all payloads`);
  }
  await codec.check('read');
  const server = createCodecServer({ codec, token, origins });
  try {
    await once(server.listen(number, host), 'listening');
  } catch (cause) {
    throw new CliError(`--host ${host} --port ${port}: cannot listen`, { cause });
  }
  const { port: actual } = server.address() as AddressInfo;
  const name = host.includes(':') ? `[${host}]` : host;
  console.log(`patient-http codec server ready: http://${name}:${actual}`);
  await signalled();
  server.close();
  server.closeAllConnections();
  return 0;
}

function portOf(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new UsageError(`--port: expected 0 to 65535, got ${JSON.stringify(text)}`);
}

function originOf(text: string): string {
  if (URL.canParse(text) && new URL(text).origin === text) return text;
  throw new UsageError(
    `--origin: expected an origin such as http://localhost:8233, got ${JSON.stringify(text)}`,
  );
}
