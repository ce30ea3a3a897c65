import { Hono, type MiddlewareHandler } from 'hono';
import { assetOf, isAsset } from './assets.ts';

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  // With none at all browsers hide the origin of our own forms too: see access.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** What browsers are told of everything that comes from here. */
export const secured: MiddlewareHandler = async (context, next) => {
  for (const [name, value] of Object.entries(HEADERS)) context.header(name, value);
  await next();
};

/** `/assets/*`: what documents are drawn with. */
export function assetRoutes(): Hono {
  return new Hono().get('/assets/:name', (context) => {
    const name = context.req.param('name');
    if (!isAsset(name)) return context.notFound();
    const { type, content } = assetOf(name);
    context.header('cache-control', 'private, max-age=86400');
    return context.body(content, 200, { 'content-type': type });
  });
}
