import type { Attempt } from '../shared/attempt.ts';

/** An attempt as Redis has it: the token in base64. */
export function toAttempt(number: number, scheduledAt: number, token: string): Attempt {
  return { number, scheduledAt, token: Buffer.from(token, 'base64') };
}
