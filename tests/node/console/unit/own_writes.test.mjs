import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { request, useTokens } from "../../../../functions/console/web/api.js";

delete globalThis.BroadcastChannel; // an open one keeps the process alive
globalThis.location = new URL("https://acme.example/v1/console/");

/** Answers writes with a token, and returns the tokens of all reads. */
function serve(token) {
  const sent = [];
  globalThis.fetch = async (_url, { method, headers }) => {
    if (method === "GET") sent.push(headers["X-Read-After"]);
    return Response.json({}, { headers: method === "GET" || !token ? {} : { "X-Read-After": token } });
  };
  return sent;
}

test("a read shows the newest write while a replica may lack it", async () => {
  mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  const claims = Buffer.from(JSON.stringify({ organization_id: "acme", sub: "ada" })).toString("base64url");
  useTokens({ access_token: `e30.${claims}.c2ln`, expires_in: 900 });
  const sent = serve("p-token");

  await request("GET", "usage");
  await request("POST", "erasures", { body: {} });
  await request("GET", "erasures");
  mock.timers.tick(11_000);
  await request("GET", "erasures");

  assert.deepEqual(sent, [undefined, "p-token", undefined]);
});

test("without a replica no read has a token", async () => {
  const sent = serve(null);

  await request("POST", "erasures", { body: {} });
  await request("GET", "erasures");

  assert.deepEqual(sent, [undefined]);
});
