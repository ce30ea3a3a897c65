// Writes schemas/*.json, the wire contract as JSON Schemas, from the schemas in src/config. Run it
// after the build. `--check` writes nothing and fails where a file is stale, missing or too many.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { format } from 'prettier';
import { jsonSchemaOf, PUBLISHED_SCHEMAS } from '../dist/src/config/published-schemas.js';

const folder = new URL('../schemas/', import.meta.url);
const check = process.argv.includes('--check');
mkdirSync(folder, { recursive: true });
const left = new Set(readdirSync(folder));

for (const name of Object.keys(PUBLISHED_SCHEMAS)) {
  const file = new URL(`${name}.json`, folder);
  const text = await format(JSON.stringify(jsonSchemaOf(name)), {
    parser: 'json',
    printWidth: 100,
  });
  left.delete(`${name}.json`);
  if (!check) writeFileSync(file, text);
  else if (!existsSync(file) || readFileSync(file, 'utf8') !== text) stale(`${name}.json differs`);
}
for (const file of left) {
  if (check) stale(`${file} is of no schema`);
  else rmSync(new URL(file, folder));
}

function stale(what) {
  console.error(`schemas/${what}: run \`node scripts/generate-schemas.mjs\``);
  process.exitCode = 1;
}
