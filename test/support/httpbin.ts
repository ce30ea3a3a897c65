import { start } from '../cli/process.ts';
import { pythonLibrary } from './python.ts';

export interface Httpbin extends AsyncDisposable {
  readonly origin: string;
  url(path: string): string;
}

/** httpbin under gunicorn, a server that knows nothing of us, out of our cache of downloads. */
export async function startHttpbin(): Promise<Httpbin> {
  const library = await pythonLibrary('httpbin and gunicorn', [
    'httpbin==0.10.4',
    'gunicorn==27.0.1',
  ]);
  const server = start(
    [
      ...['python3', '-m', 'gunicorn', '--bind', '127.0.0.1:0', '--no-control-socket'],
      ...['--worker-class', 'gthread', '--threads', '16', 'httpbin:app'],
    ],
    { PYTHONPATH: library, PYTHONDONTWRITEBYTECODE: '1' },
  );
  try {
    await server.prints(/Listening at: http\S+/);
    await server.prints('Booting worker');
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  const [origin] = /http:\/\/127\.0\.0\.1:\d+/.exec(server.stderr)!;
  return {
    origin,
    url: (path) => origin + path,
    async [Symbol.asyncDispose]() {
      // Its worker too: at once, without waiting for connections.
      server.kill('SIGQUIT');
      await server.end();
    },
  };
}
