// `node scripts/run.mjs <script> [args]`: sets up what is missing (dependencies, dist), then goes
// on as that script. So each command works on a fresh clone.
import { become, build, installDependencies } from './setup.mjs';

const [script, ...args] = process.argv.slice(2);
installDependencies();
build();
await become(script, args);
