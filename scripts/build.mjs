// `npm run build`; with --if-needed only where a source is newer than dist. npm also runs that as
// `prepare`, even where only production dependencies are installed: there dist is not made.
import { existsSync } from 'node:fs';
import { build } from './setup.mjs';

const ifNeeded = process.argv.includes('--if-needed');
if (!ifNeeded || existsSync(new URL('../node_modules/typescript', import.meta.url)))
  build({ force: !ifNeeded });
