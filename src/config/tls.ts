import { z } from 'zod';
import { choice } from './fields.ts';

const error = 'expected the path of a PEM file';
const file = () => z.string({ error }).min(1, { error }).optional();

/** TLS to servers and proxies; the files are read when a worker is created. */
export const tlsSchema = z
  .strictObject(
    {
      caFile: file().describe(
        "Certificates of authorities trusted beside Node's own, PEM; with it Node leaves out `NODE_EXTRA_CA_CERTS`.",
      ),
      certFile: file().describe('Client certificate and its chain, PEM; needs `tls.keyFile`.'),
      keyFile: file().describe('Private key of `tls.certFile`, PEM, not encrypted.'),
      minVersion: choice(['TLSv1.2', 'TLSv1.3'])
        .default('TLSv1.2')
        .describe('Oldest version spoken.'),
    },
    { error: 'expected { caFile, certFile, keyFile, minVersion }' },
  )
  .superRefine(({ certFile, keyFile }, ctx) => {
    if ((certFile === undefined) === (keyFile === undefined)) return;
    const [given, missing] =
      certFile === undefined ? ['keyFile', 'certFile'] : ['certFile', 'keyFile'];
    ctx.addIssue({
      code: 'custom',
      path: [missing],
      message: `expected a file, as ${given} has one`,
    });
  });
