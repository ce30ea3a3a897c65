/*
 * Preloaded by all processes of a test run (see global-setup.ts): webpack takes seconds of CPU for a
 * bundle of workflows, so each is made once, by whoever needs it first.
 */
const { createHash, randomUUID } = require('node:crypto');
const { existsSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { join } = require('node:path');

const directory = process.env.BUNDLE_CACHE;
const load = Module._load;

// Not all of these processes have a worker: the SDK is not loaded for its bundler's sake.
Module._load = function (request, ...rest) {
  const exported = Reflect.apply(load, this, [request, ...rest]);
  if (request === './workflow/bundler' && exported.WorkflowCodeBundler) {
    Module._load = load;
    cached(exported.WorkflowCodeBundler.prototype);
  }
  return exported;
};

function cached(bundler) {
  const { createBundle } = bundler;
  bundler.createBundle = async function () {
    const { logger: _, ...options } = this;
    const text = JSON.stringify(options, (__, value) =>
      typeof value === 'function' ? String(value) : value,
    );
    const path = join(directory, `${createHash('sha256').update(text).digest('hex')}.js`);
    if (existsSync(path)) return { code: readFileSync(path, 'utf8') };
    const bundle = await createBundle.call(this);
    const part = `${path}.${randomUUID()}`;
    writeFileSync(part, bundle.code);
    renameSync(part, path);
    return bundle;
  };
}
