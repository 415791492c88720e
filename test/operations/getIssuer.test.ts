import t from 'tap';
import { jwkSet, privateJwks } from '../support/keys.js';
import { startService } from '../support/service.js';

const issuer = { path: '/.well-known/openid-configuration' };

t.test('when the service has an issuer', async (t) => {
  for (const JWT_ISSUER of ['https://login.example.com', 'https://login.example.com/']) {
    const env = { JWT_ISSUER, JWT_KEYS: jwkSet(privateJwks('EdDSA')), JWT_SECRET: '' };
    const service = await startService(t, 'sqlite', { env });
    const reply = await service.request(issuer);
    t.equal(reply.status, 200);
    t.same(JSON.parse(reply.body), {
      issuer: JWT_ISSUER,
      jwks_uri: 'https://login.example.com/.well-known/jwks.json',
      id_token_signing_alg_values_supported: ['EdDSA'],
      subject_types_supported: ['public'],
      response_types_supported: [],
    });
  }
});

t.test('when the service has no issuer', async (t) => {
  const service = await startService(t, 'sqlite');
  t.equal((await service.request(issuer)).status, 404);
});
