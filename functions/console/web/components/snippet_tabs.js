/** Snippets of all SDKs behind tabs (the pattern of WAI-ARIA). */

import { fill, freshId, h } from "../dom.js";
import { SNIPPETS } from "../snippets.js";
import { copyButton } from "./buttons.js";

const HOST = new URL(import.meta.url).origin;

/**
 * @param {() => string} key the key, or the text that stands for it
 * @param {string | null} chosen
 * @param {(id: string) => void} onChoose
 */
export function snippetTabs(key, chosen, onChoose) {
  const panelId = freshId("panel");
  let shown = SNIPPETS.find((snippet) => snippet.id === chosen) ?? SNIPPETS[0];
  const tabs = SNIPPETS.map((snippet) =>
    h("button", { type: "button", role: "tab", id: freshId("tab"), "aria-controls": panelId, on: { click: () => choose(snippet) } }, snippet.title),
  );
  const list = h("div", { class: "tabs", role: "tablist", "aria-label": "SDK" }, ...tabs);
  const panel = h("div", { id: panelId, role: "tabpanel", class: "snippet" });
  list.addEventListener("keydown", (event) => {
    const at = SNIPPETS.indexOf(shown);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: SNIPPETS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(SNIPPETS[(to + SNIPPETS.length) % SNIPPETS.length]);
    tabs[SNIPPETS.indexOf(shown)].focus();
  });

  /** @param {import("../snippets.js").Snippet} snippet */
  function choose(snippet) {
    shown = snippet;
    onChoose(snippet.id);
    update();
  }

  function update() {
    SNIPPETS.forEach((snippet, index) => {
      tabs[index].setAttribute("aria-selected", String(snippet === shown));
      tabs[index].setAttribute("tabindex", snippet === shown ? "0" : "-1");
      if (snippet === shown) panel.setAttribute("aria-labelledby", tabs[index].id);
    });
    const code = shown.code(HOST, key());
    fill(
      panel,
      shown.install && h("pre", { class: "code", tabindex: "0", "aria-label": "Installation" }, shown.install),
      h("pre", { class: "code", tabindex: "0", "aria-label": `Code for ${shown.title}` }, code),
      h("div", {}, copyButton(code, "Copy the code")),
    );
  }
  update();
  return { element: h("div", { class: "stack-small" }, list, panel), update };
}
