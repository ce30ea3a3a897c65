import { register } from 'node:module';

/** As where OpenTelemetry's SDK is not installed. */
const hooks = `
export function resolve(name, context, next) {
  if (name === '@opentelemetry/sdk-node') throw new Error(name + ' is not there');
  return next(name, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
