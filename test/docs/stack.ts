import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Client, Connection } from '@temporalio/client';
import { PatientClient } from 'patient-http';
import {
  startTargetServer,
  startTemporalServer,
  type TargetServer,
  type TemporalServer,
} from 'patient-http/testing';
import { inject, vi } from 'vitest';
import { quietRuntime } from '../support/environment.ts';
import * as plugin from './snippets/plugin.ts';

export const workflowsPath = fileURLToPath(
  new URL('./snippets/workflows/index.ts', import.meta.url),
);
/** The API that the pages call; here it is the target server. */
export const API = 'https://api.example.com';

export interface Stack extends AsyncDisposable {
  temporal: TemporalServer;
  target: TargetServer;
  client: Client;
  patient: PatientClient;
  /** What was sent to each path of the API, newest last. */
  received: { url: string; body: string }[];
}

/** Temporal, the API, and the README's own worker. */
export async function startStack(): Promise<Stack> {
  quietRuntime();
  vi.stubEnv('TEMPORAL_CLI_PATH', inject('temporalCli'));
  const temporal = await startTemporalServer();
  const received: Stack['received'] = [];
  const target = await startTargetServer({
    handler(request, response) {
      void text(request).then((body) => {
        received.push({ url: request.url ?? '', body });
        api(request, body, response);
      });
      return true;
    },
  });
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({ connection });
  const worker = await plugin.create(temporal.address, workflowsPath);
  const running = plugin.run(worker);
  return {
    ...{ temporal, target, client, received },
    patient: new PatientClient({ client }),
    async [Symbol.asyncDispose]() {
      worker.shutdown();
      await running;
      await worker.connection?.close();
      await connection.close();
      await target.close();
      await temporal.stop();
      vi.unstubAllEnvs();
    },
  };
}

/** One price, orders that are created, charges whose answer never comes, a job that takes a look. */
function api(
  { method, url = '', headers, socket }: IncomingMessage,
  body: string,
  response: ServerResponse,
): void {
  const reply = (status: number, answer: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  };
  if (url.startsWith('/price/')) setTimeout(() => reply(200, { amount: 12 }), 60);
  else if (url === '/slow') setTimeout(() => reply(200, {}), 1_000);
  else if (url === '/charges' && headers['idempotency-key'] === undefined) socket.resetAndDestroy();
  else if (url === '/charges') reply(201, { id: `ch-${String(headers['idempotency-key'])}` });
  else if (url === '/charges?order=17') reply(200, [{ order: 17 }]);
  else if (url === '/v1/chat/completions') reply(200, completion(body));
  else if (url === '/jobs') reply(202, { id: '7' });
  else if (url === '/jobs/7') reply(200, { state: 'done', url: 'https://videos.example.com/7' });
  else if (method === 'POST') reply(201, { id: 4711 });
  else reply(200, { url });
}

function completion(body: string) {
  const { messages } = JSON.parse(body) as { messages: { content: string }[] };
  const message = { role: 'assistant', content: `${messages[0]?.content.length} characters` };
  return { choices: [{ message }], usage: { total_tokens: 30 } };
}
