// Writes scripts.generated.ts beside each folder of Lua scripts; --check only compares.
// A file's name is its signature: register-3.lua takes three keys.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';

for (const owner of ['liveness', 'flow', 'fleet']) {
  const folder = new URL(`../src/${owner}/lua/`, import.meta.url);
  const output = new URL(`../src/${owner}/scripts.generated.ts`, import.meta.url);
  const generated = await generate(folder, output.pathname);
  if (!process.argv.includes('--check')) {
    writeFileSync(output, generated);
  } else if (readFileSync(output, 'utf8') !== generated) {
    console.error(
      `src/${owner}/scripts.generated.ts differs from lua/*.lua: run node scripts/generate-lua.mjs`,
    );
    process.exitCode = 1;
  }
}

async function generate(folder, path) {
  const scripts = readdirSync(folder)
    .filter((file) => file.endsWith('.lua'))
    .sort()
    .map((file) => {
      const [, name, keys] = /^([a-z-]+)-(\d+)\.lua$/.exec(file) ?? [];
      if (!name) throw new Error(`${file}: expected a name such as register-3.lua`);
      const lua = readFileSync(new URL(file, folder), 'utf8');
      return `${JSON.stringify(name)}: { numberOfKeys: ${keys}, lua: ${JSON.stringify(lua)} },`;
    });
  const source = `// Generated from lua/*.lua by scripts/generate-lua.mjs; do not edit.

export const SCRIPTS = {
${scripts.join('\n')}
} as const;
`;
  return format(source, { ...(await resolveConfig(path)), filepath: path });
}
