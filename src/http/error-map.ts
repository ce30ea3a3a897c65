import { RequestError } from '../shared/errors.ts';
import type { ErrorType } from '../shared/errors.ts';
import type { Phase } from '../shared/wire.ts';

interface Meaning {
  type: ErrorType;
  text: string;
  transient: boolean;
}

const connection = (text: string): Meaning => ({ type: 'ConnectionError', text, transient: true });
const invalid = (text: string): Meaning => ({
  type: 'InvalidRequestError',
  text,
  transient: false,
});

const BY_CODE: Record<string, Meaning | undefined> = {
  ENOTFOUND: connection('host not found'),
  EAI_AGAIN: connection('host could not be looked up'),
  EAI_FAIL: connection('host could not be looked up'),
  ENODATA: connection('host has no address'),
  ECONNREFUSED: connection('connection refused'),
  EHOSTUNREACH: connection('host unreachable'),
  EHOSTDOWN: connection('host unreachable'),
  ENETUNREACH: connection('network unreachable'),
  ENETDOWN: connection('network unreachable'),
  EADDRNOTAVAIL: connection('no local address or port left'),
  EMFILE: connection('too many open files'),
  ENFILE: connection('too many open files'),
  ETIMEDOUT: connection('connection timed out'),
  ECONNRESET: connection('connection reset'),
  ECONNABORTED: connection('connection aborted'),
  EPIPE: connection('connection closed while sending'),
  UND_ERR_SOCKET: connection('connection closed'),
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: connection('body differs from its content-length'),
  ERR_HTTP2_ERROR: connection('response is not valid HTTP/2'),
  ERR_HTTP2_STREAM_ERROR: connection('request broken off'),
  ERR_HTTP2_STREAM_CANCEL: connection('request broken off'),
  ERR_HTTP2_SESSION_ERROR: connection('connection closed'),
  ERR_HTTP2_GOAWAY_SESSION: connection('connection closed'),
  ERR_HTTP2_INVALID_SESSION: connection('connection closed'),
  ERR_HTTP2_INVALID_CONNECTION_HEADERS: invalid('cannot be sent'),
  ERR_HTTP2_HEADER_SINGLE_VALUE: invalid('cannot be sent'),
  UND_ERR_HEADERS_OVERFLOW: {
    type: 'ResponseTooLargeError',
    text: 'response headers too large',
    transient: false,
  },
  UND_ERR_INVALID_ARG: invalid('cannot be sent'),
  UND_ERR_NOT_SUPPORTED: invalid('cannot be sent'),
  UND_ERR_REQ_CONTENT_LENGTH_MISMATCH: invalid('cannot be sent'),
};

const CERTIFICATE =
  /^(CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|SELF_SIGNED_|DEPTH_ZERO_|INVALID_(CA|PURPOSE)|PATH_LENGTH_|HOSTNAME_MISMATCH|ERR_TLS_)/;

/** By the server, about our certificate or our versions and ciphers: the next try ends alike. */
const REJECTED =
  /^ERR_SSL_.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED|PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|HANDSHAKE_FAILURE)/;

/**
 * What undici or Node reported, in our words. `label` is the request's method and redacted URL;
 * the original message is used only where it cannot carry anything of the request.
 */
export function toRequestError(cause: unknown, label: string, phase: Phase): RequestError {
  if (cause instanceof RequestError) {
    const { type, message, transient } = cause;
    return new RequestError(type, `${label}: ${message}`, { phase, transient, cause: cause.cause });
  }
  const error = firstOf(cause);
  const { type, text, transient } = meaningOf(error);
  const message = `${label}: ${text}${details(error, type)}`;
  return new RequestError(type, message, {
    phase: type === 'InvalidRequestError' ? 'prepare' : phase,
    transient,
    cause,
  });
}

type SystemError = NodeJS.ErrnoException & { address?: string; port?: number; hostname?: string };

/** Of several addresses tried, the first one's failure; the others stay in `cause`. */
function firstOf(cause: unknown): SystemError {
  if (cause instanceof AggregateError) return firstOf(cause.errors[0]);
  return cause instanceof Error ? cause : new Error(String(cause));
}

function meaningOf(error: SystemError): Meaning {
  const code = error.code ?? '';
  if (CERTIFICATE.test(code)) {
    return { type: 'TlsError', text: 'certificate not accepted', transient: false };
  }
  if (code.endsWith('NO_APPLICATION_PROTOCOL')) {
    return { type: 'TlsError', text: 'the server does not offer HTTP/2', transient: false };
  }
  if (REJECTED.test(code)) return { type: 'TlsError', text: 'TLS refused', transient: false };
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return { type: 'TlsError', text: 'TLS failed', transient: true };
  }
  if (/before secure TLS/.test(error.message)) return connection('TLS handshake broken off');
  // In undici 7 by its name: the code, HPE_…, is never set.
  if (error.name === 'HTTPParserError' || code.startsWith('HPE_'))
    return connection('response is not valid HTTP');
  return BY_CODE[code] ?? { type: 'UnknownError', text: 'failed', transient: false };
}

function details(error: SystemError, type: ErrorType): string {
  const { code, address, port, hostname, message } = error;
  if (type === 'InvalidRequestError' || type === 'UnknownError') return ` (${message})`;
  if (address !== undefined) return ` (${code} ${address}${port === undefined ? '' : `:${port}`})`;
  if (hostname !== undefined) return ` (${code} ${hostname})`;
  // These say less than the message.
  const isVague = code === undefined || code === 'UND_ERR_SOCKET' || code.startsWith('ERR_HTTP2_');
  if (!isVague) return ` (${code})`;
  return ` (${/\((.+)\)$/.exec(message)?.[1] ?? message})`;
}

/** The other side closed the socket, whether it said so or not. */
export function isClosedSocket(error: NodeJS.ErrnoException): boolean {
  return CLOSED.has(error.code ?? '');
}

const CLOSED = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'UND_ERR_SOCKET']);
