import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePorts } from '../../src/testing/free-ports.ts';
import { pythonLibrary } from './python.ts';
import { waitFor } from './wait-for.ts';

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly pid: number;
  /** As `payloadStore` takes it. */
  url(bucket: string, prefix?: string): string;
  createBucket(bucket: string): Promise<void>;
  kill(): Promise<void>;
}

/** moto's S3 server on a free port of 127.0.0.1. It takes any credentials, which the SDK wants set. */
export async function startS3(): Promise<S3Server> {
  process.env['AWS_ACCESS_KEY_ID'] ??= 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] ??= 'test';
  process.env['AWS_REGION'] ??= 'us-east-1';
  const packages = ['moto[s3]==5.2.5', 'flask==3.1.3', 'flask-cors==6.0.5'];
  const env = { ...process.env, PYTHONPATH: await pythonLibrary("moto's S3 server", packages) };
  const [port = 0] = await freePorts([undefined]);
  const args = ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)];
  const server = spawn('python3', args, { env, stdio: 'ignore' });
  const exited = once(server, 'exit');
  const endpoint = `http://127.0.0.1:${port}`;
  const kill = async (): Promise<void> => {
    server.kill('SIGKILL');
    await exited;
  };
  try {
    await waitFor(
      () =>
        fetch(endpoint).then(
          ({ ok }) => ok,
          () => false,
        ),
      {
        timeout: 60_000,
        interval: 100,
        message: 'the S3 server answers',
      },
    );
  } catch (error) {
    await kill();
    throw error;
  }
  return {
    endpoint,
    pid: server.pid!,
    url: (bucket, prefix = '') =>
      `s3://${bucket}/${prefix}?endpoint=${encodeURIComponent(endpoint)}`,
    async createBucket(bucket) {
      const { status } = await fetch(`${endpoint}/${bucket}`, { method: 'PUT' });
      if (status !== 200) throw new Error(`No bucket ${bucket}: ${status}`);
    },
    kill,
    [Symbol.asyncDispose]: kill,
  };
}
