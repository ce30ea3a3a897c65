import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, describe, expect, test } from 'vitest';
import { resolveOptions } from '../../src/config/options.ts';
import type { PatientOptions } from '../../src/config/options.ts';
import { createTlsContext } from '../../src/config/tls-context.ts';
import { ConfigError } from '../../src/shared/errors.ts';
import { InlineProcessor } from '../../src/testing/inline-processor.ts';
import { Http2Target, OK2 } from './http2-target.ts';
import { POST, Sender, startTlsServer, tlsFile, tlsPath } from './support.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'patient-tls-'));
afterAll(() => rm(directory, { recursive: true }));

function fileOf(name: string, content: string): string {
  const file = path.join(directory, name);
  writeFileSync(file, content);
  return file;
}

const CA = { caFile: tlsPath('ca.pem') };
const CLIENT = { certFile: tlsPath('client.pem'), keyFile: tlsPath('client-key.pem') };

function senderWith(tls: PatientOptions['tls']): Sender {
  return new Sender({ secureContext: createTlsContext(resolveOptions({ tls }).tls) });
}

const refused = { type: 'TlsError', phase: 'connect', transient: false };

describe('certificate of the server', () => {
  test('by an authority of our own', async () => {
    await using server = await startTlsServer((_, response) => response.end('ok'), 'server');
    await using trusting = senderWith(CA);
    expect(await trusting.get(server.url())).toMatchObject({ status: 200 });

    await using sender = senderWith({});
    const error = await sender.fail({ url: server.url('/x?key=hidden') });
    expect(error).toMatchObject(refused);
    expect(error.message).toBe(
      `GET ${server.url('/x')}: certificate not accepted (UNABLE_TO_VERIFY_LEAF_SIGNATURE)`,
    );
  });

  test('for another host, before and after a connection that was right', async () => {
    await using elsewhere = await startTlsServer((_, response) => response.end(), 'elsewhere');
    await using sender = senderWith(CA);
    for (let i = 0; i < 3; i++) {
      const error = await sender.fail({ url: elsewhere.url(), ...POST });
      expect(error).toMatchObject(refused);
      expect(error.message).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
    }
  });

  test('the handshake of the next connection is a short one', async () => {
    const reused: boolean[] = [];
    await using server = await startTlsServer(({ socket }, response) => {
      reused.push((socket as TLSSocket).isSessionReused());
      response.setHeader('connection', 'close').end('ok');
    }, 'server');
    await using sender = senderWith(CA);
    for (let i = 0; i < 3; i++) await sender.get(server.url());
    expect(reused).toEqual([false, true, true]);
  });
});

describe('certificate of the client', () => {
  const options = { requestCert: true, rejectUnauthorized: true, ca: tlsFile('ca.pem') };

  test('shown where the server asks for one', async () => {
    const names: unknown[] = [];
    await using server = await startTlsServer(
      ({ socket }, response) => {
        names.push((socket as TLSSocket).getPeerCertificate().subject.CN);
        response.end('ok');
      },
      'server',
      options,
    );
    await using target = await Http2Target.start(OK2, options);
    await using sender = senderWith({ ...CA, ...CLIENT });
    expect(await sender.get(server.url())).toMatchObject({ status: 200 });
    expect(names).toEqual(['client']);
    expect(await sender.get(target.url())).toMatchObject({ status: 200 });
  });

  // By TLS 1.3 the server says so after the handshake, in a race with the end of the connection.
  test('missing: not tried again', async () => {
    await using server = await startTlsServer((_, response) => response.end('ok'), 'server', {
      ...options,
      maxVersion: 'TLSv1.2',
    });
    await using sender = senderWith(CA);
    const error = await sender.fail({ url: server.url() });
    expect(error).toMatchObject(refused);
  });
});

test('no version below the oldest that is allowed', async () => {
  await using server = await startTlsServer((_, response) => response.end('ok'), 'server', {
    maxVersion: 'TLSv1.2',
  });
  await using sender = senderWith(CA);
  expect(await sender.get(server.url())).toMatchObject({ status: 200 });
  await using strict = senderWith({ ...CA, minVersion: 'TLSv1.3' });
  expect(await strict.fail({ url: server.url() })).toMatchObject(refused);
});

describe('options', () => {
  const message = (tls: PatientOptions['tls']): string => {
    try {
      createTlsContext(resolveOptions({ tls }).tls);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as Error).message;
    }
    throw new Error('expected a ConfigError');
  };
  const missing = path.join(directory, 'missing.pem');
  const quoted = JSON.stringify;

  test('a file that is not there', () => {
    for (const option of ['caFile', 'certFile', 'keyFile'] as const) {
      expect(message({ ...CLIENT, [option]: missing })).toBe(
        `tls.${option}: expected a file that can be read (ENOENT), got ${quoted(missing)}`,
      );
    }
    expect(message({ caFile: directory })).toContain('(EISDIR)');
  });

  test('a file of something else', () => {
    const text = fileOf('text.pem', 'nothing of the kind');
    for (const file of [text, CLIENT.keyFile]) {
      expect(message({ caFile: file })).toBe(
        `tls.caFile: expected certificates in PEM, got ${quoted(file)}`,
      );
      expect(message({ ...CLIENT, certFile: file })).toContain(
        'tls.certFile: expected certificates',
      );
    }
    for (const file of [text, CLIENT.certFile]) {
      expect(message({ ...CLIENT, keyFile: file })).toBe(
        `tls.keyFile: expected a private key in PEM, not encrypted, got ${quoted(file)}`,
      );
    }
  });

  test('a key of another certificate', () => {
    expect(message({ ...CLIENT, keyFile: tlsPath('server-key.pem') })).toBe(
      `tls.keyFile: expected the key of ${CLIENT.certFile}, got ${quoted(tlsPath('server-key.pem'))}`,
    );
  });

  test('one of a pair', () => {
    expect(message({ certFile: 'c.pem' })).toBe(
      'tls.keyFile: expected a file, as certFile has one, got undefined',
    );
    expect(message({ keyFile: 'k.pem' })).toBe(
      'tls.certFile: expected a file, as keyFile has one, got undefined',
    );
  });

  test('are read when a processor is created', async () => {
    expect(() => new InlineProcessor({ tls: { caFile: missing } })).toThrow(ConfigError);
  });
});
