import type { NativeConnection } from '@temporalio/worker';
import type { ResolvedOptions } from './config/options.ts';
import type { PatientCodec } from './payload/patient-codec.ts';
import { ConfigError } from './shared/errors.ts';

/** @throws ConfigError for a store that cannot be used */
export async function checkStore(codec: PatientCodec | undefined): Promise<void> {
  await codec?.check('write').catch((cause: Error) => {
    throw new ConfigError(cause.message, { cause });
  });
}

/** @throws ConfigError for an age at which a closed workflow could still be read */
export async function checkRetention(
  { payloadRetention }: ResolvedOptions,
  connection: NativeConnection,
  namespace: string,
): Promise<void> {
  if (payloadRetention === undefined) return;
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const kept = Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) * 1000;
  if (payloadRetention > kept) return;
  throw new ConfigError(
    `payloadRetention: expected more than the ${kept} ms for which namespace ${namespace} keeps ` +
      `closed workflows, got ${payloadRetention}`,
  );
}
