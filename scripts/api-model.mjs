// The public entry points as API Extractor sees them in the built declarations.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CompilerState, Extractor, ExtractorConfig } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('../', import.meta.url));

/** For each file of declarations: what it exports, and what that refers to (see `isExported`). */
export function readApi(entries) {
  const folder = mkdtempSync(join(tmpdir(), 'patient-api-'));
  try {
    const configs = entries.map((entry, i) => configOf(entry, join(folder, `${i}.json`)));
    const additionalEntryPoints = configs.slice(1).map((config) => config.mainEntryPointFilePath);
    const compilerState = CompilerState.create(configs[0], { additionalEntryPoints });
    return configs.map((config) => {
      Extractor.invoke(config, { compilerState, messageCallback: handle });
      return JSON.parse(readFileSync(config.apiJsonFilePath, 'utf8')).members[0].members;
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function isExported({ canonicalReference }) {
  return !canonicalReference.includes('!~');
}

/** Its advice on release tags and the like; that a file cannot be read, it throws. */
function handle(message) {
  message.handled = true;
}

function configOf(entry, apiJsonFilePath) {
  // Of TypeScript 7 it reads the declarations alone, which have not changed.
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2024'],
    types: ['node'],
  };
  return ExtractorConfig.prepare({
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(root, entry),
      compiler: {
        overrideTsconfig: {
          compilerOptions: { ...compilerOptions, strict: true, skipLibCheck: true },
          files: [entry],
        },
      },
      docModel: { enabled: true, apiJsonFilePath, includeForgottenExports: true },
      apiReport: { enabled: false, reportFileName: 'none' },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
    },
    packageJsonFullPath: join(root, 'package.json'),
  });
}
