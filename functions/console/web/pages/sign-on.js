/** Sign-on: the connection to a provider, and the e-mail domains of the organization. */

import { ApiError, request } from "../api.js";
import { connectionCard } from "../components/connection_card.js";
import { emailDomains } from "../components/email_domains.js";
import { isNotIncluded, notIncluded } from "../components/not_included.js";
import { loadInto, skeleton } from "../components/states.js";
import { h } from "../dom.js";
import { loadFeature } from "../features.js";

/** @typedef {import("../administration.d.ts").Connection} Connection */
/** @typedef {{ connection: Connection | null, isIncluded: boolean, upgradeUrl: string | null }} Shown */

const NOT_FOUND = 404;
/** @type {Shown} */
const NONE = { connection: null, isIncluded: true, upgradeUrl: null };

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Sign-on",
  purpose: "Let members sign in with the provider of your company, and prove which e-mail domains are yours.",
  async show(view) {
    const place = h("div", {});
    const domains = h("div", {});
    view.root.append(h("div", { class: "stack" }, place, domains));
    const reload = loadInto({
      place,
      subject: "the connection",
      loading: skeleton("chart", 1),
      signal: view.signal,
      load: () => loadConnection(view.signal),
      show({ connection, isIncluded, upgradeUrl }) {
        if (!isIncluded) {
          return notIncluded({
            feature: "Single sign-on",
            tiers: "the tiers growth and enterprise",
            tier: view.me.organization.tier,
            text: "People sign in with OpenID Connect or SAML 2.0, and become members at their first sign-in. You can switch passwords off.",
            upgradeUrl,
          });
        }
        if (!domains.firstChild) domains.append(emailDomains(view.signal));
        return connectionCard(connection, () => void reload());
      },
    });
    await reload();
  },
};

/**
 * @param {AbortSignal} signal
 * @returns {Promise<Shown>}
 */
async function loadConnection(signal) {
  try {
    return { ...NONE, connection: await request("GET", "sso", { signal }) };
  } catch (error) {
    if (isNotIncluded(error)) return { ...NONE, isIncluded: false, upgradeUrl: (await loadFeature("sso", signal)).upgradeUrl };
    if (error instanceof ApiError && error.status === NOT_FOUND) return NONE;
    throw error;
  }
}
