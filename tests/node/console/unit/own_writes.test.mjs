import assert from "node:assert/strict";
import { mock, test } from "node:test";

const stored = new Map(); // outlives a page, as that of a tab
globalThis.sessionStorage = { getItem: (name) => stored.get(name) ?? null, setItem: (name, text) => stored.set(name, text) };
delete globalThis.BroadcastChannel; // an open one keeps the process alive
globalThis.location = new URL("https://acme.example/v1/console/");
const { request, useTokens } = await import("../../../../functions/console/web/api.js");
mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
const claims = Buffer.from(JSON.stringify({ organization_id: "acme", sub: "ada" })).toString("base64url");
useTokens({ access_token: `e30.${claims}.c2ln`, expires_in: 900 });

/** Answers writes with *tokens* in their order, and returns the tokens of all reads. */
function serve(...tokens) {
  const sent = [];
  globalThis.fetch = async (_url, { method, headers }) => {
    if (method === "GET") sent.push(headers["X-Read-After"]);
    const token = method === "GET" ? null : tokens.shift();
    return Response.json({}, { headers: token ? { "X-Read-After": token } : {} });
  };
  return sent;
}

test("without a replica no read has a token", async () => {
  const sent = serve(null);

  await request("POST", "erasures", { body: {} });
  await request("GET", "erasures");

  assert.deepEqual(sent, [undefined]);
});

test("a read shows all writes that a replica may lack", async () => {
  const sent = serve("p-first", "p-second");

  await request("GET", "usage");
  await request("POST", "erasures", { body: {} });
  mock.timers.tick(5_000);
  await request("POST", "erasures", { body: {} });
  await request("GET", "erasures");
  mock.timers.tick(6_000);
  await request("GET", "erasures");
  mock.timers.tick(5_000);
  await request("GET", "erasures");

  assert.deepEqual(sent, [undefined, "p-first, p-second", "p-second", undefined]);
});

test("a page that was loaded again shows the writes before", async () => {
  serve("p-token");
  mock.timers.tick(11_000);
  await request("POST", "erasures", { body: {} });

  const { afterOwnWrite } = await import("../../../../functions/console/web/own_writes.js?loaded-again");

  assert.deepEqual(afterOwnWrite(), { "X-Read-After": "p-token" });
});

test("a stored value of another form is ignored", async () => {
  stored.set("own-writes", '{"token": "p-token"}');

  const { afterOwnWrite } = await import("../../../../functions/console/web/own_writes.js?another-form");

  assert.deepEqual(afterOwnWrite(), {});
});

test("a read has the newest 20 tokens at most", async () => {
  const sent = serve(...Array.from({ length: 25 }, (_, index) => `t${index}`));

  for (let index = 0; index < 25; index += 1) await request("POST", "erasures", { body: {} });
  await request("GET", "erasures");

  assert.deepEqual(sent[0].split(", "), Array.from({ length: 20 }, (_, index) => `t${index + 5}`));
});
