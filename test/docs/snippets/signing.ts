// #region
import { awsSigner, hmacSigner, PatientPlugin, webhookSigner } from 'patient-http';

const preprocessors = {
  webhook: webhookSigner({ secret: 'WEBHOOK_KEY' }),
  s3: awsSigner({ region: 'eu-central-1', service: 's3' }),
  partner: hmacSigner({
    secret: 'PARTNER_KEY',
    header: 'x-partner-signature',
    content: ({ method, url, body }) => `${method} ${url}\n${Buffer.from(body).toString()}`,
  }),
};
const plugin = new PatientPlugin({ preprocessors, secretsDirectory: '/run/secrets' });
// #endregion

export { plugin, preprocessors };
