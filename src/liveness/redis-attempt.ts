import type { Attempt } from '../shared/attempt.ts';

/** An attempt as Redis has it: the token in base64, the progress as JSON. */
export function toAttempt(
  number: number,
  scheduledAt: number,
  token: string,
  progress?: string | null,
): Attempt {
  return {
    ...{ number, scheduledAt, token: Buffer.from(token, 'base64') },
    ...(progress && { progress: JSON.parse(progress) as object }),
  };
}
