import fastify from 'fastify';
import t from 'tap';
import { loadContract, operationNamed } from '#built/contract/contract.js';
import { HttpError } from '#built/errors/http-error.js';
import { authenticationPlugin } from '#built/http/authentication.js';
import { clientAddressPlugin } from '#built/http/client-address.js';
import { errorsPlugin } from '#built/http/errors.js';
import { framingPlugin } from '#built/http/framing.js';
import { operationPlugin } from '#built/http/operation.js';
import { responseHeadersPlugin } from '#built/http/response-headers.js';

const authenticated = { caller: { userId: 1, exp: 2, sid: undefined }, log: {} };

t.test('the first scheme whose kind of token it is decides', async (t) => {
  const contract = loadContract();
  const operation = operationNamed(contract, 'getSession');
  operation.securitySchemes = ['userToken', 'userToken'];
  const replies: (typeof authenticated | HttpError | undefined)[] = [];
  const tokens: (string | undefined)[] = [];
  const app = fastify();
  await app.register(clientAddressPlugin);
  await app.register(operationPlugin);
  await app.register(responseHeadersPlugin, { contract });
  await app.register(errorsPlugin, { contract });
  await app.register(framingPlugin);
  await app.register(authenticationPlugin, {
    contract,
    authenticators: {
      adminToken: async () => undefined,
      async userToken(token) {
        tokens.push(token);
        const reply = replies.shift();
        if (reply instanceof HttpError) throw reply;
        return reply;
      },
    },
  });
  app.get('/', { config: { operation } }, async (request) => request.caller);
  const call = async (...next: typeof replies) => {
    replies.splice(0, 2, ...next);
    const { statusCode, body } = await app.inject({ url: '/', headers: { authorization: 'bearer abc' } });
    return { statusCode, body: JSON.parse(body), calls: tokens.splice(0) };
  };

  const caller = { userId: 1, exp: 2 };
  t.same(await call(authenticated, undefined), { statusCode: 200, body: caller, calls: ['abc'] });
  t.same(await call(undefined, authenticated), { statusCode: 200, body: caller, calls: ['abc', 'abc'] });
  t.match(await call(new HttpError(401), authenticated), { statusCode: 401, calls: ['abc'] });
  t.match(await call(undefined, undefined), { statusCode: 401, calls: ['abc', 'abc'] });
});
