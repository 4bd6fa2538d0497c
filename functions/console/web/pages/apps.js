/** Apps: the sources of events. List, create, change, delete. */

import { MOST_ROWS, requestAll } from "../api.js";
import { changeApp, createApp, deleteApp } from "../components/app_dialogs.js";
import { button } from "../components/buttons.js";
import { menu } from "../components/menu.js";
import { loadPlaces, placesLine } from "../components/places.js";
import { momentTime } from "../components/relative_time.js";
import { emptyState, loadInto, skeleton } from "../components/states.js";
import { cutNote, filterField, longText, table } from "../components/table.js";
import { announce } from "../components/toast.js";
import { fill, h } from "../dom.js";
import { formatDay, formatNumber } from "../format.js";
import { icon } from "../icons.js";
import { isLiveKey } from "../key_states.js";
import { addressOf, setQuery } from "../router.js";
import { may } from "../session.js";

/** @typedef {import("../types.d.ts").App} App */
/** @typedef {import("../types.d.ts").Key} Key */
/** @typedef {import("../components/places.js").Places} Places */
/** @typedef {{ apps: App[], keys: Key[] | null, places: Places }} Loaded the keys are null if not all can be read */

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Apps",
  purpose: "An app is a source of events: a web shop, an app of a phone, a server. Each has write keys of its own.",
  async show(view) {
    const list = h("div", {});
    const line = h("div", {});
    const rows = h("div", {});
    let text = view.query.get("q") ?? "";
    let loaded = /** @type {Loaded} */ ({ apps: [], keys: null, places: { limit: null, upgradeUrl: null } });
    const reload = loadInto({
      place: list,
      subject: "the apps",
      loading: skeleton("rows", 3),
      signal: view.signal,
      load: () => load(view.signal),
      show(data) {
        loaded = data;
        fill(line, placesLine(data.apps.length, data.places, "apps"));
        showRows();
        return rows;
      },
    });
    const change = () => void reload();
    const create = () => createApp(change);
    if (may("apps:write")) view.actions.append(button("Create app", { look: "primary", iconName: "plus", onClick: create }));

    function showRows() {
      const found = loaded.apps.filter((app) => `${app.name} ${app.platform}`.toLocaleLowerCase().includes(text.trim().toLocaleLowerCase()));
      const none = loaded.apps.length === 0 ? noApps(create) : emptyState("No app fits", "Change the filter above.");
      fill(rows, found.length > 0 ? appTable(found, loaded.keys, change) : none, cutNote(loaded.apps, "apps"));
      return found.length;
    }
    const filter = filterField("Filter by name or platform", text, (typed) => {
      text = typed;
      setQuery({ q: typed });
      announce(`Apps shown: ${formatNumber(showRows())}`);
    });
    view.root.append(h("div", { class: "stack-small" }, h("div", { class: "row" }, filter), line, list));
    await reload();
  },
};

/**
 * @param {AbortSignal} signal
 * @returns {Promise<Loaded>}
 */
async function load(signal) {
  const [apps, keys, places] = await Promise.all([
    /** @type {Promise<App[]>} */ (requestAll("apps", { signal })),
    may("keys:read") ? /** @type {Promise<Key[]>} */ (requestAll("keys", { signal })) : null,
    loadPlaces("apps", signal),
  ]);
  return { apps, keys: keys && keys.length < MOST_ROWS ? keys : null, places };
}

/** @param {() => void} create */
function noApps(create) {
  const action = may("apps:write") ? button("Create app", { look: "primary", onClick: create }) : null;
  return emptyState("No apps yet", "An app groups the events of one source. Its write keys send them.", action);
}

/**
 * @param {App[]} apps
 * @param {Key[] | null} keys
 * @param {() => void} onChange
 */
function appTable(apps, keys, onChange) {
  const keysOf = (/** @type {App} */ app) => keys && keys.filter((key) => key.app_id === app.id && isLiveKey(key)).length;
  const count = { title: "Live keys", isNumber: true, cell: (/** @type {App} */ app) => formatNumber(keysOf(app) ?? 0) };
  const actions = { title: "Actions", isHidden: true, cell: (/** @type {App} */ app) => actionsOf(app, keysOf(app), onChange) };
  return table({
    caption: "Apps",
    rows: apps,
    columns: [
      { title: "Name", cell: (app) => longText(app.name) },
      { title: "Platform", cell: (app) => longText(app.platform) },
      ...(keys ? [count] : []),
      { title: "Created", cell: (app) => momentTime(app.created_at, formatDay(app.created_at)) },
      { title: "Id", cell: (app) => h("code", { class: "meta" }, app.id) },
      actions,
    ],
  });
}

/**
 * @param {App} app
 * @param {number | null} liveKeys
 * @param {() => void} onChange
 */
function actionsOf(app, liveKeys, onChange) {
  const changes = [
    { text: "Change app", iconName: "settings", onClick: () => changeApp(app, onChange) },
    { text: "Delete app", iconName: "off", isDanger: true, onClick: () => deleteApp(app, liveKeys, onChange) },
  ];
  return menu({
    label: `Actions for ${app.name}`,
    className: "button button-quiet button-icon",
    content: [icon("more")],
    actions: [
      ...(may("events:read") ? [{ text: "Events of the app", iconName: "events", href: addressOf("events", { app: app.id }) }] : []),
      { text: "Usage of the app", iconName: "usage", href: addressOf("usage", { app: app.id }) },
      ...(may("apps:write") ? changes : []),
    ],
  });
}
