// The measures of the look: sizes of text, widths, corners and rows, and the frame from wide to narrow.
import assert from "node:assert/strict";
import { run, sendEvents, settled, signIn } from "./harness.mjs";

const PROSE_CHARACTERS = 70;

await run(async ({ given, open }) => {
  const { acme } = given;
  assert.equal((await sendEvents(given, acme.write_key, 3)).status, 200);
  const page = await open(acme, "usage", { viewport: { width: 1600, height: 900 } });
  await signIn(page, acme);
  const card = page.getByRole("region", { name: "Events", exact: true });
  await card.waitFor();

  // Text of four sizes, with digits that stand above each other.
  const styles = (locator, ...names) => locator.first().evaluate((element, all) => all.map((name) => getComputedStyle(element)[name]), names);
  assert.deepEqual(await styles(page.locator("h1"), "fontSize"), ["24px"]);
  assert.deepEqual(await styles(page.locator("body"), "fontSize", "fontVariantNumeric"), ["15px", "tabular-nums"]);
  assert.deepEqual(await styles(card.locator("strong"), "fontSize", "fontVariantNumeric"), ["20px", "tabular-nums"]);
  assert.deepEqual(await styles(page.locator(".page-body .meta"), "fontSize"), ["13px"]);

  // Cards have a border, round corners and no shadow.
  assert.deepEqual(await styles(card, "borderTopLeftRadius", "borderTopWidth", "boxShadow"), ["12px", "1px", "none"]);
  const [padding] = await styles(card, "paddingLeft");
  assert.ok(Number.parseFloat(padding) >= 16 && Number.parseFloat(padding) <= 24, padding);

  // The content is at most 1,120 px wide, and a line of prose at most 70 characters.
  const content = await page.locator(".page-body").boundingBox();
  assert.ok(content.width > 1_000 && content.width <= 1_120, `${content.width} px`);
  const purpose = page.locator(".purpose");
  const [size] = await styles(purpose, "maxWidth");
  const most = await purpose.evaluate((element, text) => {
    const line = element.appendChild(document.createElement("span"));
    line.textContent = text;
    line.style.whiteSpace = "nowrap";
    return line.getBoundingClientRect().width;
  }, "0".repeat(PROSE_CHARACTERS));
  assert.ok(Number.parseFloat(size) <= most + 1, `${size} for ${most} px`);

  // The header, and the navigation: at the left from 900 px, below a button in narrower windows.
  const header = page.locator("header");
  for (const text of ["Acme", "starter", "Super admin"]) await header.getByText(text, { exact: true }).first().waitFor();
  await header.locator(".emblem-place, .emblem").first().waitFor();
  await header.getByRole("button", { name: "Dark" }).waitFor();
  const navigation = page.getByRole("navigation", { name: "Pages" });
  await page.setViewportSize({ width: 900, height: 700 });
  const [nav, main] = [await navigation.boundingBox(), await page.locator("main").boundingBox()];
  assert.ok(nav.x === 0 && nav.x + nav.width <= main.x && nav.height > nav.width, JSON.stringify(nav));
  await page.setViewportSize({ width: 899, height: 700 });
  await navigation.getByRole("link", { name: "Keys" }).waitFor({ state: "hidden" });
  await page.getByRole("button", { name: "Pages" }).click();
  await navigation.getByRole("link", { name: "Events" }).click();

  // Rows of events are dense. The pointer and the focus show the moment of a relative time.
  await page.setViewportSize({ width: 1280, height: 800 });
  const rows = page.getByRole("table", { name: "Events" }).locator("tbody tr");
  const row = rows.first();
  await row.waitFor();
  assert.ok((await row.boundingBox()).height <= 29, `${(await row.boundingBox()).height} px`); // 28 and a border
  await page.mouse.move(0, 0);
  await row.locator(".absolute").waitFor({ state: "hidden" });
  await row.hover();
  await row.locator(".absolute").waitFor();
  await page.mouse.move(0, 0);
  await row.getByRole("button").focus();
  await page.keyboard.press("ArrowDown");
  await rows.nth(1).locator(".absolute").waitFor();

  // Dialogs alone have a shadow. The look that was chosen is remembered.
  await page.getByRole("button", { name: "Where is my event?" }).click();
  assert.notDeepEqual(await styles(page.getByRole("dialog"), "boxShadow"), ["none"]);
  await page.keyboard.press("Escape");
  await header.getByRole("button", { name: "Dark" }).click();
  await page.reload();
  await header.getByRole("button", { name: "Dark", pressed: true }).waitFor();
  assert.deepEqual(await styles(page.locator("html"), "colorScheme"), ["dark"]);
  await settled(page);
});
