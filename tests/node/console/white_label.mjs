// White label: change a colour and see it, two organizations with two brands at once, and hostile values of a brand.
import assert from "node:assert/strict";
import { bytesOf, call, consoleOf, inspect, run, signIn } from "./harness.mjs";

const BUDGET_BYTES = 200_000;
// The styles that the console sets: custom properties with colours and fonts.
const HARMLESS = "^(?:--[a-z-]+: (?:#[0-9a-f]{6}|var\\(--text\\)|min\\([0-9.]+px, 16px\\)|system-ui, sans-serif);\\s*)*$";
const NOTHING = {
  included: true,
  logo_url: null,
  favicon_url: null,
  primary_color: null,
  secondary_color: null,
  accent_color: null,
  css_variables: {},
  sender_name: null,
  sender_address: null,
  sender_state: "not_set",
};

await run(async ({ given, open }) => {
  const { acme, globex } = given;
  const page = await open(acme, "branding");
  await signIn(page, acme, "Branding");

  // Without the entitlement the page shows how it would look, and why it is not included.
  await page.getByText("Branding is not included in the tier starter").waitFor();
  const preview = page.getByRole("region", { name: "Preview" });
  await page.getByLabel("Primary color", { exact: true }).fill("#b91c1c");
  assert.equal(await propertyOf(preview.locator("[data-look=light]"), "--accent-mark-light"), "#b91c1c");
  assert.equal(await page.getByRole("button", { name: "Save the branding" }).count(), 0);
  await inspect(page, "branding-not-included");

  await page.getByRole("link", { name: "Sign-on" }).click();
  await page.getByText("Single sign-on is not included in the tier starter").waitFor();
  await page.goBack();

  // With it, a colour is seen in the preview at once, and in the frame once it is saved.
  for (const { id } of [acme, globex]) await allowWhiteLabel(given, id);
  await page.reload();
  const primary = page.getByLabel("Primary color", { exact: true });
  await primary.fill("#ffcc0");
  await page.getByRole("button", { name: "Save the branding" }).click();
  await page.getByText("Expected a color as #RRGGBB").waitFor();
  assert.equal(await primary.getAttribute("aria-invalid"), "true");
  await primary.fill("#FFCC00");
  const checks = page.getByRole("list", { name: "Contrast of primary color" });
  assert.match(await checks.textContent(), /13\.88:1Black text on it.*1\.51:1On light pages/);
  await page.getByText("Fonts, sizes and surfaces").click();
  await page.getByLabel("Radius of corners").fill("0");
  await page.getByLabel("Fonts", { exact: true }).fill("georgia, serif");
  await page.getByLabel("Name of the sender").fill("Acme Analytics");
  assert.match(await preview.textContent(), /Acme Analytics/);
  await page.getByText("Not saved yet.").waitFor();
  const again = page.waitForResponse(/branding\/settings$/);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await again;
  await page.getByText("Not saved yet.").waitFor();
  assert.equal(await primary.inputValue(), "#FFCC00");
  await inspect(page, "branding-draft");
  await page.getByRole("button", { name: "Save the branding" }).click();
  await page.getByText("The branding is saved.").waitFor();
  assert.equal(await rootProperty(page, "--accent-mark-dark"), "#ffcc00");
  assert.match(await rootProperty(page, "--brand-font"), /^Georgia, serif$/);
  assert.equal(await page.getByText("Not saved yet.").count(), 0);

  // Another organization at once, with another brand, before and after its sign-in.
  const changed = await call(given, "PUT", "/branding", globex.secret_key, { primary_color: "#0f766e" });
  assert.equal(changed.status, 200);
  const other = await open(globex, "branding");
  assert.equal(await rootProperty(other, "--accent-mark-light"), "#0f766e");
  await assertImages(other, given.images.globex);
  await signIn(other, globex, "Branding");
  await page.reload();
  await page.getByRole("heading", { name: "Branding", level: 1 }).waitFor();
  await page.getByRole("img", { name: "Stored logo" }).waitFor();
  await assertImages(page, given.images.acme);
  await assertImages(other, given.images.globex);
  assert.equal(await rootProperty(page, "--accent-mark-dark"), "#ffcc00");
  assert.equal(await rootProperty(other, "--accent-mark-light"), "#0f766e");
  await inspect(other, "branding-globex");

  // The logo goes when it is removed.
  await page.getByRole("button", { name: "Remove the logo" }).click();
  await page.getByRole("button", { name: "Save the branding" }).click();
  await page.getByText("The branding is saved.").waitFor();
  assert.equal(await page.locator("header .logo").count(), 0);
  assert.ok(bytesOf(page) / 3 < BUDGET_BYTES, `${bytesOf(page)} bytes in 3 visits`);

  await tryHostileValues(given, page);
  return { bytes: bytesOf(page) };
});

function allowWhiteLabel(given, id) {
  return call(given, "PATCH", `/organizations/${id}`, given.platform_key, { overrides: { white_label: true } });
}

function propertyOf(locator, name) {
  return locator.evaluate((element, property) => element.style.getPropertyValue(property), name);
}

function rootProperty(page, name) {
  return propertyOf(page.locator("html"), name);
}

// Requires that logo and favicon of the frame are the images of this organization, from the page's own origin.
async function assertImages(page, { logo, favicon }) {
  const image = page.locator(".emblem-place .logo");
  await image.waitFor();
  await image.evaluate((element) => element.decode());
  assert.ok((await image.getAttribute("src")).endsWith(logo));
  const icon = await page.locator('link[rel="icon"]').getAttribute("href");
  assert.ok(icon.endsWith(favicon) && icon.startsWith(new URL(page.url()).origin), icon);
}

// Answers each hostile value as if the API had stored it, and types it. The API itself refuses nearly all of them.
async function tryHostileValues(given, page) {
  // The name of an unknown font changes nothing: the next font of the list is used.
  const values = given.hostile.filter(({ name }) => name !== "font that nobody knows");
  const of = (prefix) => values.filter(({ member }) => member.startsWith(prefix));
  const [colors, urls] = [of("primary_color"), of("logo_url")];
  const variables = Map.groupBy(of("css_variables/"), ({ member }) => member.slice("css_variables/".length));
  const rounds = Math.max(colors.length / 3, urls.length / 2, ...[...variables.values()].map((rows) => rows.length));
  let answered = NOTHING;
  await page.route(/\/v1\/branding(?:\/settings)?(?:\?|$)/, (route) => route.fulfill({ json: answered }));
  await page.addInitScript(() => (window.hostile = () => (window.hasRunHostile = true)));
  await page.reload();
  await page.getByRole("region", { name: "Preview" }).waitFor();
  const before = await shapeOf(page);
  for (let round = 0; round < rounds; round += 1) {
    const at = (rows, place) => rows[place % rows.length].value;
    answered = {
      ...NOTHING,
      primary_color: at(colors, round * 3),
      secondary_color: at(colors, round * 3 + 1),
      accent_color: at(colors, round * 3 + 2),
      logo_url: at(urls, round * 2),
      favicon_url: at(urls, round * 2 + 1),
      css_variables: Object.fromEntries([...variables].map(([name, rows]) => [name, at(rows, round)])),
    };
    await page.goto(`${consoleOf(given, given.acme)}branding`);
    await page.getByRole("region", { name: "Preview" }).waitFor();
    assert.deepEqual(await shapeOf(page), before, JSON.stringify(answered));
  }
  const preview = page.getByRole("region", { name: "Preview" });
  for (const [label, member] of [["Name of the sender", "sender_name"], ["Address of the sender", "sender_address"], ["Logo", "logo_url"]]) {
    for (const { value } of of(member)) {
      const field = page.getByLabel(label, { exact: true });
      await field.evaluate((input, text) => {
        input.value = text;
        input.dispatchEvent(new Event("input", { bubbles: true }));
      }, value);
      const shown = (await field.inputValue()).trim();
      if (member !== "logo_url") assert.ok((await preview.textContent()).includes(shown), value);
      assert.deepEqual(await shapeOf(page), before, value);
    }
  }
}

// What a hostile value could change: code, elements, attributes, addresses, and the style of the page.
function shapeOf(page) {
  return page.evaluate((harmless) => {
    const HARMLESS = new RegExp(harmless);
    const all = [...document.querySelectorAll("*")];
    const look = (selector) => {
      const { backgroundColor, borderTopLeftRadius, color, display, fontFamily, position } = getComputedStyle(document.querySelector(selector));
      return { backgroundColor, borderTopLeftRadius, color, display, fontFamily, position };
    };
    return {
      hasRun: Boolean(window.hasRunHostile),
      scripts: document.scripts.length,
      sheets: [...document.styleSheets].map((sheet) => sheet.cssRules.length),
      foreign: all.filter((each) => /^(style|iframe|object|embed|base|form)$/i.test(each.tagName) && !each.matches("form.form")).length,
      handlers: all.filter((each) => each.getAttributeNames().some((name) => name.startsWith("on"))).length,
      images: [...document.images].map((image) => image.src),
      icon: document.querySelector('link[rel="icon"]').href,
      properties: [...document.documentElement.style],
      strangeStyles: all.map((each) => each.getAttribute("style") ?? "").filter((style) => !HARMLESS.test(style)),
      looks: ["body", "header", "main", ".preview", ".mini-mail", ".button-primary"].map(look),
      path: location.pathname,
    };
  }, HARMLESS);
}
