import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const TYPES = {
  'style.css': 'text/css; charset=utf-8',
  'live.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const;

export type AssetName = keyof typeof TYPES;

export interface Asset {
  type: string;
  content: string;
  /** Another one for other content. */
  url: string;
}

const assets = new Map<string, Asset>();

export function assetOf(name: AssetName): Asset {
  const known = assets.get(name);
  if (known) return known;
  const content = readFileSync(new URL(`./assets/${name}`, import.meta.url), 'utf8');
  const version = createHash('sha256').update(content).digest('hex').slice(0, 12);
  const asset = { type: TYPES[name], content, url: `/assets/${name}?v=${version}` };
  assets.set(name, asset);
  return asset;
}

export function isAsset(name: string): name is AssetName {
  return Object.hasOwn(TYPES, name);
}
