import assert from "node:assert/strict";
import { test } from "node:test";
import { createdWriteKey, forgetCreatedKey, keepCreatedKey } from "../../../../functions/console/web/created_keys.js";
import { OfflineError, refreshSession, request, SignedOutError, useTokens } from "../../../../functions/console/web/api.js";
import { LONGEST_TURN_MS } from "../../../../functions/console/web/session_lock.js";

delete globalThis.BroadcastChannel; // an open one keeps the process alive
globalThis.location = new URL("https://acme.example/v1/console/");
const { begin, currentMember, readMember } = await import("../../../../functions/console/web/session.js");

const tokenOf = (organization_id, sub) => {
  const claims = Buffer.from(JSON.stringify({ organization_id, sub })).toString("base64url");
  return { access_token: `e30.${claims}.c2ln`, expires_in: 900 };
};

/** Lets the cookie be that of `tokens`, and returns the paths of all calls. */
function serve(tokens) {
  const paths = [];
  globalThis.fetch = async (url) => {
    paths.push(new URL(url).pathname.split("/").at(-1));
    return Response.json(tokens);
  };
  return paths;
}

test("a renewal by the cookie of another organization is no session", async () => {
  useTokens(tokenOf("acme", "ada"));
  serve(tokenOf("globex", "ada"));

  assert.equal(await refreshSession(), false);
});

test("a renewal by the cookie of another member is no session", async () => {
  useTokens(tokenOf("acme", "ada"));
  serve(tokenOf("acme", "bob"));

  assert.equal(await refreshSession(), false);
});

test("no request goes out with the session of another organization", async () => {
  useTokens({ ...tokenOf("acme", "ada"), expires_in: 0 });
  const paths = serve(tokenOf("globex", "ada"));

  await assert.rejects(request("GET", "usage"), SignedOutError);

  assert.deepEqual(paths, ["refresh"]);
});

test("the own session is renewed", async () => {
  useTokens({ ...tokenOf("acme", "ada"), expires_in: 0 });
  const paths = serve(tokenOf("acme", "ada"));

  await request("GET", "usage");

  assert.deepEqual(paths, ["refresh", "usage"]);
});

test("a created key is forgotten with its session", () => {
  useTokens(tokenOf("acme", "ada"));
  keepCreatedKey({ type: "write", key: "wk_1" });
  useTokens(tokenOf("acme", "ada"));
  const kept = createdWriteKey();

  useTokens(tokenOf("globex", "ada"));

  assert.deepEqual([kept, createdWriteKey()], ["wk_1", null]);
});

test("a revoked key is forgotten, and no other", () => {
  useTokens(tokenOf("acme", "ada"));
  keepCreatedKey({ id: "k1", type: "write", key: "wk_1" });
  forgetCreatedKey("k2");
  const kept = createdWriteKey();

  forgetCreatedKey("k1");

  assert.deepEqual([kept, createdWriteKey()], ["wk_1", null]);
});

test("a session that begins has no member of the session before", async () => {
  const ada = { id: "ada", organization: { id: "acme", subdomain: "acme" } };
  useTokens(tokenOf("acme", "ada"));
  globalThis.fetch = async () => Response.json(ada);
  await readMember();
  const before = currentMember();
  serve(tokenOf("acme", "bob"));

  await begin("auth/token", {});

  assert.deepEqual([before, currentMember()], [ada, null]);
});

test("a secret key is not kept", () => {
  useTokens(null);
  keepCreatedKey({ type: "secret", key: "sk_1" });

  assert.equal(createdWriteKey(), null);
});

test("a refresh that never answers gives the turn back as offline", async (context) => {
  useTokens(null);
  const late = AbortSignal.abort(new DOMException("", "TimeoutError"));
  const limit = context.mock.method(AbortSignal, "timeout", () => late);
  globalThis.fetch = async (_, { signal }) => signal?.throwIfAborted();

  await assert.rejects(refreshSession(), OfflineError);

  assert.deepEqual(limit.mock.calls.map((each) => each.arguments), [[LONGEST_TURN_MS]]);
});

test("a connection that is lost within the body is offline", async () => {
  useTokens(tokenOf("acme", "ada"));
  const body = new ReadableStream({ start: (controller) => controller.error(new TypeError("network error")) });
  globalThis.fetch = async () => new Response(body);

  await assert.rejects(request("GET", "usage"), OfflineError);
});

test("a refusal without a problem document has the status", async () => {
  useTokens(tokenOf("acme", "ada"));
  for (const text of ["null", "7", "<html>", ""]) {
    globalThis.fetch = async () => new Response(text, { status: 502 });

    await assert.rejects(request("GET", "usage"), { message: "The answer has the status 502.", status: 502 });
  }
});

test("a call of the renewal itself is not renewed", async () => {
  useTokens(tokenOf("acme", "ada"));
  const paths = [];
  globalThis.fetch = async (url) => {
    paths.push(new URL(url).pathname.split("/").at(-1));
    return Response.json({ code: "unauthenticated" }, { status: 401 });
  };

  await assert.rejects(request("GET", "me", { isOnce: true }), { status: 401 });

  assert.deepEqual(paths, ["me"]);
});
