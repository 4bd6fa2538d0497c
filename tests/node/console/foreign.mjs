// Pages of other origins cannot use a session: that of another organization, which is the same site, and one of the
// organization itself at the API's own host. Cookies are sent to the same site, so SameSite alone protects nothing.
import assert from "node:assert/strict";
import { consoleOf, run, signIn } from "./harness.mjs";

const PATHS = ["auth/refresh", "auth/logout", "auth/token", "auth/sso/token", "users/accept"];
// A form can send this text. Its name and its value are joined by "=".
const FORMS = [null, ["{}", ""], ['{"refresh_token":"rt_', '"}'], ['{"x":"', '"}']];

await run(async ({ given, open }) => {
  const { acme, globex } = given;
  const own = await open(acme, "keys");
  await signIn(own, acme, "Keys");
  const context = own.context();
  const shared = await context.newPage();
  await shared.goto(`${consoleOf(given, null)}keys?organization=${acme.subdomain}`);
  await signIn(shared, acme, "Keys");
  const attacker = await context.newPage();

  for (const [from, to, isSameSite] of [
    [globex, acme, true],
    [acme, null, false], // the public suffix of the tests' hosts is `localhost`
    [null, acme, false],
  ]) {
    const before = await cookiesOf(context);
    for (const path of PATHS) {
      const action = new URL(`../${path}`, consoleOf(given, to)).href;
      for (const form of FORMS) {
        await attacker.goto(placeOf(given, from));
        const [answer] = await Promise.all([
          attacker.waitForResponse((response) => response.url() === action),
          attacker.evaluate(post, [action, form]),
        ]);
        const where = `${path} from ${attacker.url()} with ${form}`;
        // A log-out with a token in its body answers 204 for each token. It leaves the cookie.
        const isRefused = answer.status() >= 400 && answer.status() < 500;
        assert.ok(isRefused || (path === "auth/logout" && form && answer.status() === 204), `${where}: ${answer.status()}`);
        if (isRefused) await attacker.waitForURL(action);
        const { cookie = "" } = await answer.request().allHeaders();
        assert.equal(cookie.includes("refresh_token="), isSameSite, where);
        assert.deepEqual(await cookiesOf(context), before, where);
      }
      await attacker.goto(placeOf(given, from));
      const outcomes = await attacker.evaluate(call, action);
      assert.deepEqual(outcomes, ["opaque", "TypeError", "TypeError"], path);
      assert.deepEqual(await cookiesOf(context), before, `${path} by fetch`);
    }
  }

  for (const page of [own, shared]) {
    await page.reload();
    await page.getByRole("rowheader", { name: /First secret key/ }).waitFor();
  }
});

// A page of the organization's origin without a policy of its own.
function placeOf(given, organization) {
  return new URL("../health", consoleOf(given, organization)).href;
}

async function cookiesOf(context) {
  return (await context.cookies()).map(({ domain, name, value }) => [domain, name, value].join(" ")).sort();
}

// Runs in the attacker's page.
function post([action, form]) {
  const element = document.createElement("form");
  Object.assign(element, { method: "post", enctype: "text/plain", action });
  if (form) {
    const input = document.createElement("input");
    [input.name, input.value] = form;
    element.append(input);
  }
  document.body.append(element);
  element.submit();
}

// Runs in the attacker's page: a simple request, one with the console's header, and one as JSON.
async function call(action) {
  const attempts = [
    { mode: "no-cors", body: "" },
    { headers: { "X-Console": "1" }, body: "" },
    { headers: { "Content-Type": "application/json" }, body: "{}" },
  ];
  return Promise.all(
    attempts.map((each) =>
      fetch(action, { method: "POST", credentials: "include", ...each }).then(
        ({ type }) => type,
        ({ name }) => name,
      ),
    ),
  );
}
