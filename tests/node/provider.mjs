// An OpenID Connect provider over TLS:
// node provider.mjs <certificate and key> <client id> <secret> <redirect URI> <host> [<port>]
// It prints its issuer. Each person who comes is logged in at once, with the address in login_hint.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const [pemFile, clientId, clientSecret, redirectUri, host, port = '0'] = process.argv.slice(2);
const addresses = new Map();
const pem = readFileSync(pemFile);
let answer;
const server = createServer({ key: pem, cert: pem }, (request, response) => answer(request, response));

server.listen(Number(port), '127.0.0.1', () => {
  const issuer = `https://${host}:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri] }],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: () => ({ sub, email: addresses.get(sub), email_verified: true, name: sub }),
    }),
    cookies: { keys: ['a key of a test'] },
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true },
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        accountId: ctx.oidc.session.accountId,
        clientId: ctx.oidc.client.clientId,
      });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  });
  provider.proxy = false;
  const callback = provider.callback();
  answer = async (request, response) => {
    if (!request.url.startsWith('/interaction/')) return callback(request, response);
    const { params } = await provider.interactionDetails(request, response);
    const address = params.login_hint ?? 'ada@acme.example';
    const accountId = address.split('@')[0];
    addresses.set(accountId, address);
    return provider.interactionFinished(request, response, { login: { accountId } });
  };
  console.log(issuer);
});
