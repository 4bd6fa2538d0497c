/** Branding: the form with a live preview, and the contrast of each colour. */

import { API, request } from "../api.js";
import { refreshBrand } from "../brand.js";
import { cleanBrand } from "../brand_values.js";
import { changesOf, draftOf } from "../branding_changes.js";
import { brandingFields } from "../components/branding_form.js";
import { brandPreview } from "../components/brand_preview.js";
import { button } from "../components/buttons.js";
import { actionForm } from "../components/fields.js";
import { notIncluded } from "../components/not_included.js";
import { loadInto, skeleton } from "../components/states.js";
import { toast } from "../components/toast.js";
import { h } from "../dom.js";
import { loadFeature } from "../features.js";

/** @typedef {import("../administration.d.ts").StoredBranding} StoredBranding */
/** @typedef {import("../types.d.ts").View} View */

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Branding",
  purpose: "Give this console, your pages and the mails to your members the look of your organization.",
  async show(view) {
    const place = h("div", {});
    view.root.append(place);
    let saved = /** @type {StoredBranding | null} */ (null);
    let present = /** @type {ReturnType<typeof editor> | null} */ (null);
    const reload = loadInto({
      place,
      subject: "the branding",
      loading: h("div", { class: "branding" }, skeleton("rows", 8), skeleton("chart", 1)),
      signal: view.signal,
      load: async () => {
        const isKept = saved === null && Boolean(present?.hasChanges());
        const stored = saved ?? /** @type {StoredBranding} */ (await request("GET", "branding/settings", { signal: view.signal }));
        saved = null;
        return { stored, isKept, upgradeUrl: stored.included ? null : (await loadFeature("white_label", view.signal)).upgradeUrl };
      },
      show({ stored, isKept, upgradeUrl }) {
        if (isKept && present) return present.element; // what was entered stays when the network is back
        const onSave = (/** @type {StoredBranding} */ next) => {
          saved = next;
          void reload();
        };
        present = editor(view, stored, stored.included ? null : absence(view, upgradeUrl), onSave);
        return present.element;
      },
    });
    await reload();
  },
};

/**
 * @param {View} view
 * @param {StoredBranding} stored
 * @param {Node | null} absent stands above, if the branding is not included
 * @param {(stored: StoredBranding) => void} onSave
 */
function editor(view, stored, absent, onSave) {
  const { organization } = view.me;
  const images = cleanBrand(stored, API);
  const { fields, groups } = brandingFields(stored, (kind) => (kind === "logo" ? images.logo_url : images.favicon_url));
  const entered = () => Object.fromEntries(fields.map((field) => [field.name, field.value()]));
  const preview = brandPreview(organization.name);
  const unsaved = h("p", { class: "meta", role: "status" });
  const form = actionForm({
    fields,
    groups,
    action: "Save the branding",
    after: [unsaved],
    async work() {
      const body = changesOf(entered(), stored);
      if (Object.keys(body).length === 0) return toast("Nothing has changed.", "info");
      /** @type {StoredBranding} */
      const next = await request("PUT", "branding", { body });
      await refreshBrand();
      toast("The branding is saved. Others see it within a minute.");
      onSave(next);
    },
  });
  const discard = button("Discard the changes", { look: "quiet", onClick: () => onSave(stored) });
  discard.hidden = true;
  form.submit.after(discard);
  form.submit.hidden = !stored.included;

  const hasChanges = () => Object.keys(changesOf(entered(), stored)).length > 0;

  function show() {
    const values = entered();
    discard.hidden = !hasChanges();
    unsaved.textContent = hasChanges() && stored.included ? "Not saved yet." : "";
    preview.show(draftOf(values, stored), { name: values.sender_name, address: values.sender_address });
  }
  form.element.addEventListener("input", show);
  show();
  const columns = h("div", { class: "branding" }, h("div", { class: "card" }, form.element), preview.element);
  return { element: h("div", { class: "stack-small" }, absent, columns), hasChanges };
}

/**
 * @param {View} view
 * @param {string | null} upgradeUrl
 */
function absence(view, upgradeUrl) {
  return notIncluded({
    feature: "Branding",
    tiers: "the tier enterprise",
    tier: view.me.organization.tier,
    text: "Try colors below: the preview shows how this console and mails would look. They cannot be saved.",
    upgradeUrl,
  });
}
