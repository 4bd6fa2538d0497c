/** Domains: claim, create the records, verify, remove. */

import { requestAll } from "../api.js";
import { button } from "../components/buttons.js";
import { claimDomain } from "../components/claim_dialog.js";
import { domainCard } from "../components/domain_card.js";
import { notIncluded } from "../components/not_included.js";
import { emptyState, loadInto, skeleton } from "../components/states.js";
import { isChanging } from "../domain_steps.js";
import { h } from "../dom.js";
import { loadFeature } from "../features.js";
import { poll } from "../poll.js";
import { setQuery } from "../router.js";
import { may } from "../session.js";

/** @typedef {import("../administration.d.ts").CustomDomain} CustomDomain */
/** @typedef {import("../types.d.ts").View} View */
/** @typedef {{ domains: CustomDomain[], feature: import("../features.js").Feature }} Shown */

const POLL_EVERY = 6; // questions of poll.js, about half a minute
const OPEN = "domain";
/** @type {import("../features.js").Feature} */
const INCLUDED = { isIncluded: true, upgradeUrl: null };

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Domains",
  purpose: "Serve the API and the console at a domain of your own, with a certificate.",
  async show(view) {
    const list = h("div", {});
    const shown = { domains: /** @type {CustomDomain[]} */ ([]), feature: INCLUDED, text: "", open: view.query.get(OPEN), asked: 0 };
    let fresh = /** @type {Shown | null} */ (null);
    const load = async () => {
      const loaded = fresh ?? (await loadDomains(view.signal));
      fresh = null;
      return loaded;
    };
    const reload = loadInto({
      place: list,
      subject: "the domains",
      loading: skeleton("chart", 1),
      signal: view.signal,
      load,
      show(loaded) {
        shown.domains = loaded.domains;
        shown.feature = loaded.feature;
        shown.text = JSON.stringify(loaded.domains);
        return content(loaded);
      },
    });
    const claim = () =>
      claimDomain({
        title: "Add domain",
        text: "The API is served at the domain once three DNS records are there. Nothing changes until then.",
        hint: "Below the apex of its zone, such as data.acme.example.",
        path: "domains",
        onClaim: (/** @type {CustomDomain} */ domain) => change(domain),
      });

    /** @param {CustomDomain} domain */
    function change(domain) {
      open(domain.domain, true);
      const others = shown.domains.filter((each) => each.id !== domain.id);
      fresh = { domains: [...others, domain].sort((one, other) => one.domain.localeCompare(other.domain)), feature: INCLUDED };
      void reload();
    }

    /**
     * @param {string} domain
     * @param {boolean} isOpen
     */
    function open(domain, isOpen) {
      if (isOpen) shown.open = domain;
      else if (shown.open === domain) shown.open = null;
      setQuery({ [OPEN]: shown.open });
    }

    /** @param {Shown} loaded */
    function content({ domains, feature }) {
      const absent = feature.isIncluded ? null : absence(view, feature.upgradeUrl);
      if (domains.length === 0) return absent ? [absent] : [noDomains(claim)];
      const cards = domains.map((domain) =>
        domainCard(domain, domain.domain === shown.open || (!shown.open && domains.length === 1), {
          change,
          remove: () => void reload(),
          toggle: (isOpen) => open(domain.domain, isOpen),
        }),
      );
      return h("div", { class: "stack-small" }, absent, ...cards);
    }
    if (may("domains:write")) view.actions.append(button("Add domain", { look: "primary", iconName: "plus", onClick: claim }));
    view.root.append(list);
    await reload();
    poll(async () => {
      shown.asked += 1;
      if (!shown.domains.some(isChanging) || shown.asked % POLL_EVERY !== 0) return;
      const domains = await listDomains(view.signal);
      if (view.signal.aborted || JSON.stringify(domains) === shown.text) return;
      fresh = { domains, feature: shown.feature };
      await reload();
    }, view.signal);
  },
};

/**
 * @param {AbortSignal} signal
 * @returns {Promise<Shown>}
 */
async function loadDomains(signal) {
  const [domains, feature] = await Promise.all([listDomains(signal), loadFeature("white_label", signal)]);
  return { domains, feature };
}

/**
 * @param {AbortSignal} signal
 * @returns {Promise<CustomDomain[]>}
 */
async function listDomains(signal) {
  return requestAll("domains", { signal });
}

/**
 * @param {View} view
 * @param {string | null} upgradeUrl
 */
function absence(view, upgradeUrl) {
  return notIncluded({
    feature: "A domain of your own",
    tiers: "the tier enterprise",
    tier: view.me.organization.tier,
    text: "The API and this console are served at a name such as data.acme.example.",
    upgradeUrl,
  });
}

/** @param {() => void} claim */
function noDomains(claim) {
  const action = may("domains:write") ? button("Add domain", { look: "primary", onClick: claim }) : null;
  return emptyState("No domains yet", "At a domain of your own, the API and this console have your name instead of the platform's.", action);
}
