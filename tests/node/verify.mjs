// Verifies access tokens with jose: node verify.mjs URL ISSUER TOKEN... Finds the keys by the discovery document at URL.
// Prints the subject and session of each token, or the code of its error.
import { createRemoteJWKSet, jwtVerify } from "jose";

const [url, issuer, ...tokens] = process.argv.slice(2);
const found = await (await fetch(`${url}/.well-known/openid-configuration`)).json();
const keys = createRemoteJWKSet(new URL(found.jwks_uri));
const options = { issuer, audience: issuer, typ: "at+jwt", algorithms: found.id_token_signing_alg_values_supported };
const results = [];
for (const token of tokens) {
  try {
    const { payload } = await jwtVerify(token, keys, options);
    results.push([payload.sub, payload.sid]);
  } catch (error) {
    results.push(error.code);
  }
}
console.log(JSON.stringify(results));
