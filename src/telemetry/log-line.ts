interface Entry extends Record<string, unknown> {
  level: string;
  time: string;
  message?: string;
}

interface LoggedError {
  type: string;
  message: string;
  code?: string;
  cause?: LoggedError;
}

/** A JSON log line for people: `12:03:04.123 WARN  message  key=value  error="TypeError: …"`. */
export function formatLine(json: string): string {
  const { level, time, message = '', ...meta } = JSON.parse(json) as Entry;
  const clock = new Date(time).toLocaleTimeString('en-GB', { hour12: false });
  const head = `${clock}.${time.slice(-4, -1)} ${level.toUpperCase().padEnd(5)} ${firstLine(message)}`;
  const rest = Object.entries(meta).map(([key, value]) => `${key}=${formatValue(value)}`);
  return `${[head, ...rest].join('  ')}\n`;
}

function formatValue(value: unknown): string {
  if (isError(value)) return JSON.stringify(oneLine(formatError(value)));
  if (typeof value === 'string') return /^[\w.:/@-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}

/** The whole chain of causes; the stack is left to the JSON. */
function formatError({ type, message, code, cause }: LoggedError): string {
  const self = `${type}: ${message}${code === undefined ? '' : ` [${code}]`}`;
  return isError(cause) ? `${self} ← ${formatError(cause)}` : self;
}

function isError(value: unknown): value is LoggedError {
  return typeof value === 'object' && value !== null && 'type' in value && 'message' in value;
}

function firstLine(text: string): string {
  const [first = '', ...more] = text.split('\n');
  return more.length ? `${first} …` : first;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ');
}
