// A SAML provider over TLS:
// node saml-provider.mjs <certificate and key of TLS> <certificate and key that sign> <its own metadata> <host> [<port>]
// The fourth file has the metadata of the platform, and is read at each request. It prints its origin. Each person who
// comes is logged in at once, and sent back by a form.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import * as samlify from 'samlify';

const [tlsFile, signingFile, serviceFile, host, port = '0'] = process.argv.slice(2);
const [PRIVATE_KEY, CERTIFICATE] = ['PRIVATE KEY', 'CERTIFICATE'].map((kind) =>
  readFileSync(signingFile, 'utf8').match(new RegExp(`-----BEGIN ${kind}-----[^-]+-----END ${kind}-----`))[0],
);
const AUTHN_STATEMENT =
  '<saml:AuthnStatement AuthnInstant="{IssueInstant}"><saml:AuthnContext><saml:AuthnContextClassRef>' +
  'urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>';
const EMAIL = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress';

samlify.setSchemaValidator({ validate: async () => 'not validated: we are the provider' });

const pem = readFileSync(tlsFile);
let provider;

function fill(service, requestId) {
  return (template) => {
    const now = new Date();
    const later = new Date(now.getTime() + 300_000).toISOString();
    const url = service.entityMeta.getAssertionConsumerService('post');
    const context = samlify.SamlLib.replaceTagsByValue(
      template.replace('{AuthnStatement}', AUTHN_STATEMENT).replace('{AttributeStatement}', ''),
      {
        ID: `_${crypto.randomUUID()}`,
        AssertionID: `_${crypto.randomUUID()}`,
        Destination: url,
        Audience: service.entityMeta.getEntityID(),
        SubjectRecipient: url,
        Issuer: provider.entityMeta.getEntityID(),
        IssueInstant: now.toISOString(),
        StatusCode: 'urn:oasis:names:tc:SAML:2.0:status:Success',
        ConditionsNotBefore: now.toISOString(),
        ConditionsNotOnOrAfter: later,
        SubjectConfirmationDataNotOnOrAfter: later,
        NameIDFormat: EMAIL,
        NameID: process.env.PERSON,
        InResponseTo: requestId,
      },
    );
    return { id: requestId, context };
  };
}

async function answer(request) {
  const url = new URL(request.url, 'https://localhost');
  if (url.pathname === '/metadata') return provider.getMetadata();
  const query = Object.fromEntries(url.searchParams);
  const service = samlify.ServiceProvider({ metadata: readFileSync(serviceFile) });
  const { extract } = await provider.parseLoginRequest(service, 'redirect', { query });
  const { context } = await provider.createLoginResponse(
    service, { extract }, 'post', { email: process.env.PERSON }, fill(service, extract.request.id),
  );
  return JSON.stringify({ SAMLResponse: context, RelayState: query.RelayState });
}

const server = createServer({ key: pem, cert: pem }, (request, response) => {
  answer(request).then(
    (text) => response.end(text),
    (error) => response.writeHead(500).end(String(error)),
  );
});

server.listen(Number(port), '127.0.0.1', () => {
  const origin = `https://${host}:${server.address().port}`;
  provider = samlify.IdentityProvider({
    entityID: `${origin}/metadata`,
    signingCert: CERTIFICATE,
    privateKey: PRIVATE_KEY,
    requestSignatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    wantAuthnRequestsSigned: false,
    nameIDFormat: [EMAIL],
    singleSignOnService: [{ Binding: samlify.Constants.namespace.binding.redirect, Location: `${origin}/sso` }],
    loginResponseTemplate: { context: samlify.SamlLib.defaultLoginResponseTemplate.context, attributes: [] },
  });
  console.log(origin);
});
