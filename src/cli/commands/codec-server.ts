import type { Command } from 'commander';
import type { CodecServerFlags } from '../actions/codec-server.ts';

export function addCodecServerCommand(program: Command): void {
  program
    .command('codec-server')
    .description("let Temporal's UI and CLI read compressed, encrypted and stored payloads")
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <number>', 'port to listen on; 0 is any free one', '8234')
    .option('--origin <origins...>', 'origins of UIs that may ask', ['http://localhost:8233'])
    .addHelpText(
      'after',
      `
Takes PATIENT_ENCRYPTION_KEYS and PATIENT_PAYLOAD_STORE as the workers do. With
PATIENT_CODEC_SERVER_TOKEN it wants "Authorization: Bearer <token>"; without, it only listens on a
loopback address. Each name of the UI (localhost, 127.0.0.1) is an origin of its own.

Examples:
  $ patient codec-server
  $ temporal workflow show --workflow-id order-17 --codec-endpoint http://127.0.0.1:8234
  $ patient codec-server --host 0.0.0.0 --origin https://temporal.example.com`,
    )
    .action(async (flags: CodecServerFlags) => {
      const { serveCodec } = await import('../actions/codec-server.ts');
      process.exitCode = await serveCodec(flags);
    });
}
