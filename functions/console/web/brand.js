/** The brand that the whole frame has: read from the API, and shown by colours, fonts, logo and favicon. */

import { API, request } from "./api.js";
import { cleanBrand, NO_BRAND } from "./brand_values.js";
import { showEmblems } from "./emblem.js";
import { hostNamesOrganization } from "./session.js";
import { applyBrand } from "./theme.js";

/** @typedef {import("./administration.d.ts").Brand} Brand */
/** @typedef {import("./types.d.ts").Organization} Organization */

const ICON_TYPE = "image/svg+xml";

const shown = { brand: NO_BRAND, organization: /** @type {string | null} */ (null) };
const link = /** @type {HTMLLinkElement | null} */ (document.querySelector('link[rel="icon"]'));
const ownIcon = link?.href ?? "";

/** Return the brand that is shown. */
export function currentBrand() {
  return shown.brand;
}

/**
 * Read the brand of an organization, or of the one that the host names, and show it. Without an answer the page looks
 * as it did.
 * @param {string | null} organization its id or subdomain
 * @param {boolean} [isFresh] past the cache of the browser, after a change
 */
export async function readBrand(organization, isFresh = false) {
  shown.organization = organization?.toLowerCase() ?? null;
  try {
    const query = { organization };
    showBrand(cleanBrand(await request("GET", "branding", { isPublic: true, isFresh, query }), API));
  } catch {
    // The page works without a brand.
  }
}

/**
 * Read the brand of the member's organization, unless it is shown.
 * @param {Organization} organization
 */
export async function readOwnBrand({ id, subdomain }) {
  const isNamed = hostNamesOrganization() || shown.organization === id || shown.organization === subdomain;
  if (!isNamed) await readBrand(id);
}

/** Read the brand again after a change. */
export async function refreshBrand() {
  await readBrand(shown.organization, true);
}

/** @param {Brand} brand */
function showBrand(brand) {
  shown.brand = brand;
  applyBrand(brand);
  showEmblems(brand);
  if (!link) return;
  if (brand.favicon_url) link.removeAttribute("type");
  else link.type = ICON_TYPE;
  link.href = brand.favicon_url ?? ownIcon;
}
