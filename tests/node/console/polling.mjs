// Live lists: how often tabs ask, counted in their own time, and that five members at once stay within the tier's limit.
import assert from "node:assert/strict";
import { call, consoleOf, run, sendEvents, signIn, until } from "./harness.mjs";

const MEMBERS = 5;
const MOST_A_MINUTE = 12; // one in 5 seconds
const STEP_MS = 1_000;
const THROTTLED = 429;
const LISTS = new Set(["/v1/erasures", "/v1/exports"]);
const API = /\/v1\/(?!console)/;

await run(async ({ given, open }) => {
  const { acme } = given;
  const first = await open(acme, "privacy");
  await signIn(first, acme, "Privacy");
  assert.equal((await call(given, "POST", "/exports", acme.secret_key)).status, 202);
  assert.equal((await call(given, "POST", "/erasures", acme.secret_key, { device_id: "device-of-nobody" })).status, 202);
  assert.equal((await sendEvents(given, acme.write_key, 1)).status, 200);

  // The erasure waits for as long as the tabs look, however soon the stack runs its job.
  const { document: erasures } = await call(given, "GET", "/erasures", acme.secret_key);
  for (const erasure of erasures.data) erasure.status = "pending";
  await first.context().route(/\/v1\/erasures\b/, (route) => route.fulfill({ json: erasures }));

  // Five tabs on Privacy, each with two lists that wait.
  // Their clocks stop until `minute` advances them, so a slow machine changes no count.
  await first.context().clock.install();
  await first.context().clock.pauseAt(Date.now() + STEP_MS);
  const tabs = [first, ...(await Promise.all(Array.from({ length: MEMBERS - 1 }, () => first.context().newPage())))];
  const counts = await Promise.all(tabs.map((tab) => visit(given, tab, "privacy", "Being erased")));
  await minute(first, counts);
  for (const { paths, refused } of counts) {
    const polled = paths.filter(({ isPolled }) => isPolled).map(({ path }) => path);
    assert.ok(polled.length > 0 && polled.length <= MOST_A_MINUTE, polled.join(" "));
    assert.deepEqual(polled.filter((path) => !LISTS.has(path)), []); // of those whose jobs still wait
    assert.equal(refused, 0);
  }
  const all = counts.flatMap(({ paths }) => paths).length; // with those that show the page
  assert.ok(all <= given.limit, `${all} requests of ${MEMBERS} tabs in their first minute`);
  for (const tab of tabs.slice(1)) await tab.close();

  // A tab on Events.
  const events = await visit(given, first, "events", "Signed Up");
  await minute(first, [events]);
  const polled = events.paths.filter(({ isPolled }) => isPolled);
  assert.ok(polled.length > 0 && polled.length <= MOST_A_MINUTE, `${polled.length} requests`);

  // Domains: one request at a time, and none before the API takes requests again.
  const overrides = { overrides: { white_label: true } };
  assert.equal((await call(given, "PATCH", `/organizations/${acme.id}`, given.platform_key, overrides)).status, 200);
  const domain = `www.${acme.subdomain}.com`;
  const login = { organization: acme.subdomain, email: acme.admin_email, password: acme.admin_password };
  const admin = (await call(given, "POST", "/auth/token", null, login)).document.access_token;
  assert.equal((await call(given, "POST", "/domains", admin, { domain })).status, 201);
  assert.equal((await call(given, "POST", `/domains/${domain}/verify`, admin)).status, 200);
  const domains = await visit(given, first, "domains", domain);
  const refused = { status: THROTTLED, detail: "Too many requests.", code: "rate_limited", retry_after: 3_600 };
  await first.route("**/v1/domains", (route) => route.fulfill({ status: THROTTLED, json: refused }));
  await minute(first, [domains]);
  assert.deepEqual(domains.paths.filter(({ isPolled }) => isPolled).map(({ path }) => path), ["/v1/domains"]);
  return { all };
});

// Opens a page, and counts its requests to the API.
async function visit(given, page, name, text) {
  const count = { paths: [], open: new Set(), refused: 0, isPolled: false };
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (!API.test(pathname)) return;
    count.open.add(request);
    count.paths.push({ path: pathname, isPolled: count.isPolled });
  });
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, (request) => count.open.delete(request));
  page.on("response", (response) => response.status() === THROTTLED && (count.refused += 1));
  await page.goto(`${consoleOf(given, given.acme)}${name}`);
  await page.getByText(text).first().waitFor();
  await until(() => count.open.size === 0);
  return count;
}

// Lets a minute pass in the tabs. Each answer comes before the next second.
async function minute(page, counts) {
  const { clock } = page.context();
  const answered = () => until(() => counts.every(({ open }) => open.size === 0));
  for (const count of counts) count.isPolled = true;
  for (let second = 0; second < 60; second += 1) {
    await clock.runFor(STEP_MS);
    await answered();
  }
}
