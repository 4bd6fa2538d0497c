/** Keys: list, create, rotate, revoke. */

import { requestAll } from "../api.js";
import { appName } from "../app_names.js";
import { button, whileBusy } from "../components/buttons.js";
import { createKey } from "../components/create_key.js";
import { revokeKey, rotateKey } from "../components/key_dialogs.js";
import { menu } from "../components/menu.js";
import { keepTimesTrue, momentTime, relativeMoment } from "../components/relative_time.js";
import { badge, emptyState, loadInto, skeleton } from "../components/states.js";
import { cutNote, filterField, longText, segments, table } from "../components/table.js";
import { announce } from "../components/toast.js";
import { fill, h } from "../dom.js";
import { loadApps } from "../event_source.js";
import { formatDay, formatNumber, formatRelative } from "../format.js";
import { icon } from "../icons.js";
import { isLiveKey } from "../key_states.js";
import { setQuery } from "../router.js";
import { scopeText } from "../scopes.js";
import { may } from "../session.js";

/** @typedef {import("../types.d.ts").App} App */
/** @typedef {import("../types.d.ts").Key} Key */
/** @typedef {import("../types.d.ts").View} View */

const DUE_MS = 14 * 86_400_000;
const LIVE = "live";
/** @type {[string, string][]} */
const STATES = [
  [LIVE, "Live"],
  ["ended", "Ended"],
  ["all", "All"],
];
const KINDS = { write: "Write", secret: "Secret" };

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Keys",
  purpose: "Write keys send events from apps and web pages. Secret keys are for servers.",
  async show(view) {
    const list = h("div", {});
    const shown = { keys: /** @type {Key[]} */ ([]), apps: /** @type {App[]} */ ([]) };
    const chosen = { filter: view.query.get("q") ?? "", state: view.query.get("status") ?? LIVE };
    const rows = h("div", {});
    const reload = loadInto({
      place: list,
      subject: "the keys",
      loading: skeleton("rows", 6),
      signal: view.signal,
      load: () => loadKeys(view.signal),
      show(loaded) {
        Object.assign(shown, loaded);
        showRows();
        return rows;
      },
    });
    const change = () => void reload();
    const opener = button("Create key", { look: "primary", iconName: "plus", onClick: () => void create() });
    const create = () => whileBusy(opener, async () => createKey(await loadApps(view.signal), view.me.permissions, change));
    if (may("keys:write")) view.actions.append(opener);

    function showRows() {
      const found = shown.keys.filter((key) => fits(key, chosen));
      const none = shown.keys.length === 0 ? noKeys(create) : emptyState("No key fits", "Change the filter or the state above.");
      fill(rows, found.length > 0 ? keyTable(found, shown.apps, change) : none, cutNote(shown.keys, "keys"));
      return found.length;
    }
    const filter = filterField("Filter by name", chosen.filter, (text) => {
      chosen.filter = text;
      setQuery({ q: text });
      announce(`Keys shown: ${formatNumber(showRows())}`);
    });
    const states = segments("State", STATES, chosen.state, (state) => {
      chosen.state = state;
      setQuery({ status: state === LIVE ? null : state });
      announce(`Keys shown: ${formatNumber(showRows())}`);
    });
    view.root.append(h("div", { class: "stack-small" }, h("div", { class: "row" }, filter, states), list));
    keepTimesTrue(list, view.signal);
    await reload();
  },
};

/** @param {AbortSignal} signal */
async function loadKeys(signal) {
  /** @type {[Key[], App[]]} */
  const [keys, apps] = await Promise.all([
    requestAll("keys", { signal }),
    loadApps(signal),
  ]);
  return { keys, apps };
}

/**
 * @param {Key} key
 * @param {{ filter: string, state: string }} chosen
 */
function fits(key, { filter, state }) {
  const inState = state === "all" || isLiveKey(key) === (state === LIVE);
  const text = `${key.name} ${key.prefix ?? ""}`.toLocaleLowerCase();
  return inState && text.includes(filter.trim().toLocaleLowerCase());
}

/** @param {() => Promise<void>} create */
function noKeys(create) {
  const action = may("keys:write") ? button("Create key", { look: "primary", onClick: () => void create() }) : null;
  return emptyState("No keys yet", "An app sends events with a write key. A server reads usage with a secret key.", action);
}

/**
 * @param {Key[]} keys
 * @param {App[]} apps
 * @param {() => void} onChange
 */
function keyTable(keys, apps, onChange) {
  const nameOf = (/** @type {string | null} */ id) => appName(apps, id);
  return table({
    caption: "Keys",
    rows: keys,
    columns: [
      { title: "Name", cell: (key) => [longText(key.name), h("code", { class: "meta prefix" }, `${key.prefix ?? key.type}…${key.hint}`)] },
      { title: "Status", cell: statusOf },
      { title: "Kind", cell: (key) => KINDS[key.type] },
      { title: "App", cell: (key) => nameOf(key.app_id) },
      { title: "Scopes", cell: scopesOf },
      { title: "Created", cell: (key) => momentTime(key.created_at, formatDay(key.created_at)) },
      { title: "Last used", cell: (key) => (key.last_used_at ? relativeMoment(key.last_used_at) : "Never") },
      { title: "Rotate by", cell: rotation },
      ...(may("keys:write") ? [{ title: "Actions", isHidden: true, cell: (/** @type {Key} */ key) => actionsOf(key, nameOf(key.app_id), onChange) }] : []),
    ],
  });
}

/** @param {Key} key */
function statusOf(key) {
  if (key.status === "active") return badge("ok", "Active");
  if (key.status === "expiring") return badge("warn", key.expires_at ? `Ends ${formatRelative(key.expires_at)}` : "Ends");
  return badge("off", key.status === "expired" ? "Expired" : "Revoked");
}

/** @param {Key} key */
function scopesOf(key) {
  if (key.scopes.length === 1) return scopeText(key.scopes[0]);
  const list = h("ul", { class: "stack-tiny" }, ...key.scopes.map((scope) => h("li", {}, scopeText(scope))));
  return h("details", {}, h("summary", {}, `${formatNumber(key.scopes.length)} scopes`), list);
}

/** @param {Key} key */
function rotation(key) {
  if (!key.rotate_by || !isLiveKey(key)) return "–";
  const left = Date.parse(key.rotate_by) - Date.now();
  const text = momentTime(key.rotate_by, formatDay(key.rotate_by));
  if (left > DUE_MS) return text;
  return h("span", { class: "badge badge-warn" }, icon("clock"), left > 0 ? "Due " : "Overdue ", text);
}

/**
 * @param {Key} key
 * @param {string} appName
 * @param {() => void} onChange
 */
function actionsOf(key, appName, onChange) {
  if (!isLiveKey(key)) return null;
  return menu({
    label: `Actions for ${key.name}`,
    className: "button button-quiet button-icon",
    content: [icon("more")],
    actions: [
      ...(key.replaced_by ? [] : [{ text: "Rotate key", iconName: "rotate", onClick: () => rotateKey(key, onChange) }]),
      { text: "Revoke key", iconName: "off", isDanger: true, onClick: () => revokeKey(key, appName, onChange) },
    ],
  });
}
