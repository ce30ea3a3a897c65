import { afterAll } from 'vitest';
import { openHandles, trackSockets } from './open-handles.ts';
import { waitFor } from './wait-for.ts';

// Set-up hooks run around those of the file: before its first, after its last.
trackSockets();

afterAll(async () => {
  await waitFor(() => openHandles().length === 0, {
    timeout: 10_000,
    message: () => `this test file leaves open:\n${openHandles().join('\n')}`,
  });
});
