import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';

const { History } = proto.temporal.api.history.v1;

export const [A, B] = [1, 2].map((byte) => Buffer.alloc(32, byte).toString('base64'));

export interface Folder extends AsyncDisposable {
  readonly path: string;
  /** As `payloadStore` takes it. */
  readonly url: string;
}

export async function temporaryFolder(): Promise<Folder> {
  const path = await mkdtemp(join(tmpdir(), 'patient-payloads-'));
  return {
    path,
    url: pathToFileURL(path).href,
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** A store as a user writes one, which can be away. */
export class Memory {
  readonly name = 'memory';
  readonly kept = new Map<string, Uint8Array>();
  away = false;
  silent = false;
  refused = 0;

  async put(id: string, bytes: Uint8Array): Promise<void> {
    if (this.silent) {
      this.refused++;
      await new Promise(() => undefined);
    }
    if (this.away) {
      this.refused++;
      throw new Error('no space left');
    }
    this.kept.set(id, bytes);
  }

  async get(id: string): Promise<Uint8Array | undefined> {
    return this.kept.get(id);
  }
}

/** The bytes of a workflow's whole history, as Temporal keeps it. */
export async function rawHistory(client: Client, workflowId: string): Promise<Buffer> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId },
  });
  return Buffer.from(History.encode(history!).finish());
}

/** Names that no other test run has. */
export function unique(prefix: string): string {
  return `${prefix}-${randomUUID()}`;
}
