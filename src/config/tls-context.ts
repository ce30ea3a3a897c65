import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import type { SecureContext } from 'node:tls';
import { ConfigError } from '../shared/errors.ts';
import type { ResolvedOptions } from './options.ts';
import { formatProblems } from './problems.ts';

type TlsOptions = ResolvedOptions['tls'];
type FileOption = 'caFile' | 'certFile' | 'keyFile';

/**
 * What all TLS connections of a worker share, with its files read now.
 * @throws ConfigError for a file that cannot be read or used: names the option, the file and why
 */
export function createTlsContext(options: TlsOptions): SecureContext {
  const { caFile, certFile, keyFile, minVersion } = options;
  const ca = caFile === undefined ? [] : [read('caFile', caFile, parseCertificates)];
  const cert = certFile === undefined ? undefined : read('certFile', certFile, parseCertificates);
  const key = keyFile === undefined ? undefined : read('keyFile', keyFile, parseKey);
  try {
    return tls.createSecureContext({
      minVersion,
      // Given alone, it would replace Node's own.
      ...(ca.length > 0 && { ca: [...tls.rootCertificates, ...ca] }),
      ...(cert !== undefined && { cert, key }),
    });
  } catch (error) {
    throw refuse('keyFile', keyFile!, `expected the key of ${certFile}`, error);
  }
}

function read(option: FileOption, path: string, parse: (pem: string) => void): string {
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw refuse(option, path, `expected a file that can be read (${code})`, error);
  }
  try {
    parse(pem);
  } catch (error) {
    const what =
      option === 'keyFile' ? 'a private key in PEM, not encrypted' : 'certificates in PEM';
    throw refuse(option, path, `expected ${what}`, error);
  }
  return pem;
}

function parseCertificates(pem: string): void {
  void new X509Certificate(pem);
}

function parseKey(pem: string): void {
  tls.createSecureContext({ key: pem });
}

function refuse(option: FileOption, path: string, expected: string, cause: unknown): ConfigError {
  const message = `${expected}, got ${JSON.stringify(path)}`;
  const problems = [{ path: ['tls', option], message }];
  return new ConfigError(formatProblems(problems, 'options'), { cause });
}
