// Single sign-on by keyboard alone: to the provider and back to the page that was asked for; and an organization without
// a connection.
import assert from "node:assert/strict";
import { inspect, run } from "./harness.mjs";
import { typist } from "./typist.mjs";

await run(async ({ given, open }) => {
  const { globex } = given;
  const mayVisit = new RegExp(`^(?:https://[^/]+|${given.api_url})/`); // the provider and the callback
  const options = { ignoreHTTPSErrors: true, mayVisit }; // the provider's certificate is the tests' own
  const page = await open(globex, "usage?sdk=node", options);
  const { type, press } = typist(page);
  await type("E-mail address", `bob@${globex.subdomain}.example`);
  await press("button", "Use single sign-on");
  await page.getByRole("heading", { name: "Usage", level: 1 }).waitFor();
  await page.getByRole("button", { name: /Viewer \(account\)$/ }).waitFor();
  assert.match(page.url(), /\/usage\?sdk=node$/);
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);

  // A code that this tab has not asked for is never exchanged.
  await page.context().clearCookies();
  await page.goto(page.url().replace(/usage.*/, "sign-in?code=foreign"));
  await page.getByText("Single sign-on has failed.").waitFor();
  assert.match(page.url(), /sign-in$/);

  const other = await open(null, "", options);
  await other.getByLabel("Organization").fill("nobody");
  await other.getByRole("button", { name: "Use single sign-on" }).click();
  await other.getByText("Single sign-on has failed. Start it again.").waitFor();
  await inspect(other, "single-sign-on-refused");
});
