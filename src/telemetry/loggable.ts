/** Deeper is shown as `…`. A chain of causes takes one level per cause. */
const MAX_DEPTH = 8;
const MAX_ITEMS = 50;
const MAX_TEXT = 10_000;

/** Names of fields whose values stay out of logs, whoever put them there. */
const PRIVATE =
  /^(raw)?headers$|^cookies?$|authorization|set-cookie|api[-_]?key|token$|secret|passw|credential/i;

/** gRPC status names by number: what Temporal's documentation calls them. */
const GRPC_CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** Metadata as plain JSON of bounded size, without secrets. */
export function loggable(meta: object): Record<string, unknown> {
  return fields(meta, 0);
}

/** `UNAVAILABLE` for the error of a gRPC call; undefined for any other error. */
export function grpcCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('details' in error)) return undefined;
  return typeof error.code === 'number' ? GRPC_CODES[error.code] : undefined;
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return cut(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return '…';
  if (value instanceof Error) return describeError(value, depth);
  if (value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`;
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => plain(item, depth + 1));
  return fields(value, depth);
}

function fields(value: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_ITEMS)
      .map(([name, item]) => [name, isPrivate(name, item) ? '(redacted)' : plain(item, depth + 1)]),
  );
}

function isPrivate(name: string, value: unknown): boolean {
  return value !== undefined && value !== null && PRIVATE.test(name);
}

function describeError(error: Error, depth: number): Record<string, unknown> {
  const { code } = error as { code?: unknown };
  const errors = (error as { errors?: unknown }).errors;
  return {
    type: error.name,
    message: cut(error.message),
    ...(code !== undefined && { code: grpcCode(error) ?? plain(code, depth) }),
    ...(depth <= 1 && { stack: cut(error.stack ?? '') }),
    ...(Array.isArray(errors) && { errors: plain(errors, depth + 1) }),
    ...(error.cause !== undefined && { cause: plain(error.cause, depth + 1) }),
  };
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
