import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanBrand, NO_BRAND } from "../../../../functions/console/web/brand_values.js";
import { changesOf, draftOf, REMOVED, variableField } from "../../../../functions/console/web/branding_changes.js";
import { checkContrast } from "../../../../functions/console/web/contrast.js";
import { formatRatio } from "../../../../functions/console/web/format.js";

const API = "http://acme.attribution.localhost:4000/v1/";
const IMAGE = `branding/images/0198c1de-7a51-7a4e-8f0e-2f3f4f1f0c7a/${"ab".repeat(32)}`;
const STORED = { ...NO_BRAND, included: true, primary_color: "#7c3aed", css_variables: { "--spacing": "8px" }, sender_name: "Acme", sender_address: null, sender_state: "not_set" };
const ENTERED = { primary_color: "#7c3aed", [variableField("--spacing")]: "8px", sender_name: "Acme" };

test("a brand of the API passes, and its images are those of the own host", () => {
  const brand = {
    logo_url: `https://api.example/v1/${IMAGE}`,
    favicon_url: null,
    primary_color: "#7C3AED",
    secondary_color: "#475569",
    accent_color: "#ffcc00",
    css_variables: { "--font-family": "Inter, sans-serif", "--border-radius": "8px", "--link-color": "#123456", "--spacing": "0.5rem" },
  };

  assert.deepEqual(cleanBrand(brand, API), { ...brand, logo_url: API + IMAGE, primary_color: "#7c3aed" });
});

test("each other value is dropped", () => {
  for (const value of ["javascript:x()", `https://hostile.example/${IMAGE}?x`, `//hostile.example/x`, 7, {}, ["#123456"]]) {
    const names = ["logo_url", "favicon_url", "primary_color", "secondary_color", "accent_color", "css_variables"];
    assert.deepEqual(cleanBrand(Object.fromEntries(names.map((name) => [name, value])), API), NO_BRAND);
  }
  for (const font of ["url(x)", 'Arial"', "Arial;x", "Arial\\3b", "expression(x())", "a,b,c,d,e,f", "x".repeat(101)]) {
    assert.deepEqual(cleanBrand({ css_variables: { "--font-family": font } }, API).css_variables, {}, font);
  }
  for (const length of ["calc(1px)", "65px", "5rem", "-1px", "1e1px", "1px;x", "1px\n", 1]) {
    assert.deepEqual(cleanBrand({ css_variables: { "--border-radius": length, "--other": "1px" } }, API).css_variables, {}, String(length));
  }
  for (const brand of [null, undefined, "x", []]) assert.deepEqual(cleanBrand(brand, API), NO_BRAND);
});

test("the body has only the members that differ", () => {
  assert.deepEqual(changesOf(ENTERED, STORED), {});
  assert.deepEqual(changesOf({ ...ENTERED, primary_color: " #7C3AED " }, STORED), {});
  assert.deepEqual(changesOf({ ...ENTERED, primary_color: "", accent_color: "#FFCC00" }, STORED), { primary_color: null, accent_color: "#FFCC00" });
  assert.deepEqual(changesOf({ ...ENTERED, [variableField("--spacing")]: "" }, STORED), { css_variables: { "--spacing": null } });
  assert.deepEqual(changesOf({ ...ENTERED, logo_url: "https://a.example/x.png", favicon_url: REMOVED }, STORED), {
    logo_url: "https://a.example/x.png",
    favicon_url: null,
  });
});

test("a preview has the stored images until they are removed", () => {
  const stored = { ...STORED, logo_url: API + IMAGE };

  assert.equal(draftOf({ ...ENTERED, logo_url: "https://a.example/x.png" }, stored).logo_url, API + IMAGE);
  assert.equal(draftOf({ ...ENTERED, logo_url: REMOVED }, stored).logo_url, null);
  assert.deepEqual(cleanBrand(draftOf(ENTERED, stored), API).css_variables, { "--spacing": "8px" });
});

test("contrasts are those of the API, rounded down, with their meaning", () => {
  const [text, light, dark] = checkContrast("#7c3aed");

  assert.deepEqual([text.subject, formatRatio(text.ratio)], ["White text on it", "5.69:1"]);
  assert.deepEqual([light.kind, formatRatio(light.ratio)], ["ok", "5.69:1"]);
  assert.deepEqual([dark.kind, dark.text], ["info", "for marks; links are in the color of the text"]);
  assert.equal(checkContrast("#ffcc00")[1].kind, "warn");
  assert.equal(formatRatio(checkContrast("#777777")[1].ratio), "4.47:1");
  assert.deepEqual(checkContrast("red"), []);
});
