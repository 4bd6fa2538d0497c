/** Members: invite, role, disable, remove. */

import { request, requestAll } from "../api.js";
import { button, whileBusy } from "../components/buttons.js";
import { disableMember, inviteMember, nameOf, removeMember } from "../components/member_dialogs.js";
import { menu } from "../components/menu.js";
import { loadPlaces, placesLine } from "../components/places.js";
import { keepTimesTrue, momentTime, relativeMoment } from "../components/relative_time.js";
import { roleCell } from "../components/role_cell.js";
import { roleList } from "../components/role_list.js";
import { badge, emptyState, loadInto, skeleton } from "../components/states.js";
import { cutNote, filterField, longText, segments, table } from "../components/table.js";
import { announce, toast } from "../components/toast.js";
import { fill, h } from "../dom.js";
import { formatDay, formatNumber } from "../format.js";
import { icon } from "../icons.js";
import { initialsOf } from "../initials.js";
import { mayChange } from "../roles.js";
import { setQuery } from "../router.js";
import { may } from "../session.js";

/** @typedef {import("../types.d.ts").Me} Me */
/** @typedef {import("../types.d.ts").Member} Member */
/** @typedef {{ filter: string, status: string }} Chosen */

const ALL = "all";
/** @type {[string, string][]} */
const STATES = [
  [ALL, "All"],
  ["active", "Active"],
  ["invited", "Invited"],
  ["disabled", "Disabled"],
];

/** @type {import("../types.d.ts").Page} */
export const page = {
  title: "Members",
  purpose: "The members of your organization, and their roles.",
  async show(view) {
    const chosen = { filter: view.query.get("q") ?? "", status: view.query.get("status") ?? ALL };
    const list = h("div", {});
    const line = h("div", {});
    const rows = h("div", {});
    let members = /** @type {Member[]} */ ([]);
    const reload = loadInto({
      place: list,
      subject: "the members",
      loading: skeleton("rows", 4),
      signal: view.signal,
      load: async () => Promise.all([/** @type {Promise<Member[]>} */ (requestAll("users", { signal: view.signal })), loadPlaces("users", view.signal)]),
      show([loaded, places]) {
        members = loaded;
        fill(line, placesLine(members.length, places, "members"));
        showRows();
        return rows;
      },
    });
    const change = () => void reload();
    if (may("users:write")) {
      const invite = () => inviteMember(view.me.role, change);
      view.actions.append(button("Invite a member", { look: "primary", iconName: "plus", onClick: invite }));
    }

    function showRows() {
      const found = members.filter((member) => fits(member, chosen));
      const none = emptyState("No member fits", "Change the filter or the state above.");
      fill(rows, found.length > 0 ? memberTable(found, view.me, change) : none, cutNote(members, "members"));
      return found.length;
    }
    const filter = filterField("Filter by name or address", chosen.filter, (text) => {
      chosen.filter = text;
      setQuery({ q: text });
      announce(`Members shown: ${formatNumber(showRows())}`);
    });
    const states = segments("State", STATES, chosen.status, (status) => {
      chosen.status = status;
      setQuery({ status: status === ALL ? null : status });
      announce(`Members shown: ${formatNumber(showRows())}`);
    });
    view.root.append(h("div", { class: "stack-small" }, h("div", { class: "row" }, filter, states), line, list, roleList()));
    keepTimesTrue(list, view.signal);
    await reload();
  },
};

/**
 * @param {Member} member
 * @param {Chosen} chosen
 */
function fits(member, { filter, status }) {
  const text = `${member.name ?? ""} ${member.email}`.toLocaleLowerCase();
  return (status === ALL || member.status === status) && text.includes(filter.trim().toLocaleLowerCase());
}

/**
 * @param {Member[]} members
 * @param {Me} me
 * @param {() => void} onChange
 */
function memberTable(members, me, onChange) {
  const actions = { title: "Actions", isHidden: true, cell: (/** @type {Member} */ member) => actionsOf(member, me, onChange) };
  return table({
    caption: "Members",
    rows: members,
    columns: [
      { title: "Member", cell: (member) => person(member, me) },
      { title: "Role", cell: (member) => roleCell(member, me, onChange) },
      { title: "Status", cell: statusOf },
      { title: "Last sign-in", cell: signedIn },
      { title: "Added", cell: (member) => momentTime(member.created_at, formatDay(member.created_at)) },
      ...(may("users:write") ? [actions] : []),
    ],
  });
}

/**
 * @param {Member} member
 * @param {Me} me
 */
function person(member, me) {
  const avatar = h("span", { class: "avatar", "aria-hidden": "true" }, initialsOf(nameOf(member)));
  const you = member.id === me.id ? h("span", { class: "meta" }, " (you)") : null;
  const address = member.name ? h("span", { class: "meta address" }, longText(member.email)) : null;
  return h("div", { class: "person" }, avatar, h("div", {}, longText(nameOf(member)), you, address));
}

/** @param {Member} member */
function signedIn({ last_signed_in_at: at }) {
  return at ? relativeMoment(at) : "–";
}

/** @param {Member} member */
function statusOf(member) {
  if (member.status === "active") return badge("ok", "Active");
  return member.status === "invited" ? badge("info", "Invited") : badge("off", "Disabled");
}

/**
 * @param {Member} member
 * @param {Me} me
 * @param {() => void} onChange
 */
function actionsOf(member, me, onChange) {
  if (!mayChange(me.role, member.role)) return null;
  const name = nameOf(member);
  const again = button("Send again", { label: `Send again to ${name}` });
  again.addEventListener("click", () => void whileBusy(again, () => invite(member)));
  const disable = { text: "Disable the member", iconName: "off", onClick: async () => void ((await disableMember(member)) && onChange()) };
  const enable = { text: "Let the member in again", iconName: "check", onClick: () => void run(() => enableMember(member, onChange)) };
  const remove = { text: "Remove the member", iconName: "close", isDanger: true, onClick: () => removeMember(member, onChange) };
  const content = [icon("more")];
  const actions = [member.status === "disabled" ? enable : disable, remove];
  const more = menu({ label: `Actions for ${name}`, className: "button button-quiet button-icon", content, actions });
  return h("div", { class: "cell-actions" }, member.status === "invited" ? again : null, more);
}

/** @param {Member} member */
async function invite(member) {
  await run(async () => {
    await request("POST", `users/${member.id}/invitation`);
    toast(`A new invitation is on its way to ${member.email}. The earlier link no longer works.`);
  });
}

/**
 * @param {Member} member
 * @param {() => void} onChange
 */
async function enableMember(member, onChange) {
  /** @type {Member} */
  const now = await request("PATCH", `users/${member.id}`, { body: { status: "active" } });
  toast(now.status === "invited" ? `${now.email} has no password yet. Send the invitation again.` : `${nameOf(now)} can sign in.`);
  onChange();
}

/** @param {() => Promise<void>} work */
async function run(work) {
  try {
    await work();
  } catch (error) {
    toast(error instanceof Error ? error.message : "It was not done.", "bad");
  }
}
