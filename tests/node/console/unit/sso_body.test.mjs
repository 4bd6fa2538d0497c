import assert from "node:assert/strict";
import { test } from "node:test";
import { bodyOf, linesOf, serviceOf } from "../../../../functions/console/web/sso_body.js";

const ENTERED = {
  type: "oidc",
  issuer: " https://idp.example ",
  client_id: "tenancy",
  client_secret: "",
  metadata_url: "https://idp.example/metadata",
  metadata_xml: "",
  default_role: "viewer",
  redirect_uris: "https://a.example/x\n\n  https://b.example/y\r\n",
  required: false,
};
const SHARED = { default_role: "viewer", required: false, redirect_uris: ["https://a.example/x", "https://b.example/y"] };

test("the body has the members of its type alone", () => {
  assert.deepEqual(bodyOf(ENTERED), { type: "oidc", ...SHARED, issuer: "https://idp.example", client_id: "tenancy" });
  assert.deepEqual(bodyOf({ ...ENTERED, type: "saml" }), { type: "saml", ...SHARED, metadata_url: "https://idp.example/metadata" });
});

test("a secret is sent if there is one", () => {
  assert.equal(bodyOf({ ...ENTERED, client_secret: " s " }).client_secret, " s ");
  assert.ok(!("client_secret" in bodyOf(ENTERED)));
});

test("lines without text are none", () => {
  assert.deepEqual(linesOf(" \n"), []);
});

test("the metadata of the platform have the values to register", () => {
  const metadata = '<md:EntityDescriptor entityID="https://api.example/v1/auth/sso/metadata?organization=1"><md:A Location="https://api.example/v1/auth/sso/acs"/>';

  assert.deepEqual(serviceOf(metadata, "1"), {
    entityId: "https://api.example/v1/auth/sso/metadata?organization=1",
    answersUrl: "https://api.example/v1/auth/sso/acs",
    redirectUri: "https://api.example/v1/auth/sso/callback/1",
  });
  assert.equal(serviceOf("", "1"), null);
});
