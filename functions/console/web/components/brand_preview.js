/** The preview of a brand: a page and a mail, in both looks. */

import { API } from "../api.js";
import { cleanBrand } from "../brand_values.js";
import { fill, h } from "../dom.js";
import { logoOf } from "../emblem.js";
import { icon } from "../icons.js";
import { propertiesOf, setProperties } from "../theme.js";

/** @typedef {import("../administration.d.ts").Brand} Brand */
/** @typedef {{ name: string, address: string }} Sender */

const LOOKS = /** @type {const} */ ([
  ["light", "Light"],
  ["dark", "Dark"],
]);
const MAIL_FONTS = "system-ui, sans-serif";
/** Of the platform, for mails without an accent colour. */
const MAIL_EDGE = "#1d4ed8";

/**
 * Return the preview, and how to show a brand in it. Each value is checked before it is used.
 * @param {string} organization its name
 */
export function brandPreview(organization) {
  const panes = LOOKS.map(([look, title]) => {
    const pane = h("div", { class: "preview", "data-look": look, "aria-hidden": "true" });
    return { pane, element: h("figure", { class: "preview-figure" }, h("figcaption", {}, title), pane) };
  });
  const element = h("section", { class: "previews", "aria-label": "Preview" }, ...panes.map((each) => each.element));

  /**
   * @param {unknown} draft
   * @param {Sender} sender
   */
  function show(draft, sender) {
    const brand = cleanBrand(draft, API);
    for (const { pane } of panes) {
      setProperties(pane, propertiesOf(brand));
      fill(pane, pageOf(brand, organization), mailOf(brand, organization, sender));
    }
  }
  return { element, show };
}

/**
 * @param {Brand} brand
 * @param {string} organization
 */
function pageOf(brand, organization) {
  return h(
    "div",
    { class: "mini" },
    h("div", { class: "mini-top" }, logoOf(brand, organization), h("strong", {}, organization)),
    h(
      "div",
      { class: "mini-body" },
      h("div", { class: "mini-nav" }, h("span", { class: "mini-current" }, icon("usage"), "Usage"), h("span", {}, icon("events"), "Events"), h("span", {}, icon("keys"), "Keys")),
      h(
        "div",
        { class: "mini-card" },
        h("strong", { class: "mini-title" }, "Events"),
        h("span", { class: "mini-figure" }, "842,113"),
        h("span", { class: "mini-bar" }),
        h("span", { class: "mini-link" }, "The same as a table"),
        h("span", { class: "button button-primary" }, "Create key"),
      ),
    ),
  );
}

/**
 * Return a mail. Mail programs show it on white, also in their dark look.
 * @param {Brand} brand
 * @param {string} organization
 * @param {Sender} sender
 */
function mailOf(brand, organization, sender) {
  const vars = { "--mail-edge": brand.accent_color ?? MAIL_EDGE, "--mail-font": brand.css_variables["--font-family"] ?? MAIL_FONTS };
  return h(
    "div",
    { class: "mini mini-mail", vars },
    h("div", { class: "mini-head" }, h("strong", {}, sender.name || sender.address || "The platform's address"), sender.name && h("span", {}, sender.address || "The platform's address"), h("span", {}, `Invitation to ${organization}`)),
    h(
      "div",
      { class: "mini-sheet" },
      brand.logo_url && h("img", { class: "logo", src: brand.logo_url, alt: "" }),
      h("p", {}, `You are invited to ${organization}.`),
      h("p", {}, "Open the link within 7 days to set a password."),
    ),
  );
}
