// A person without a mouse: `typist(page)` presses keys alone, and no script sets a value or a focus.
//
//   const { type, press, go } = typist(page);
//   await go("k", "Keys");                     // by the shortcuts
//   await press("button", "Create key");       // Tab up to it, then Enter
//   await type("Name", "Shop");                // Tab up to the field, and type over what it has
const MOST_TABS = 120;

export function typist(page) {
  const { keyboard } = page;
  const dialog = (name) => page.getByRole("dialog", { name });
  const heading = (name) => page.getByRole("heading", { name, level: 1 }).waitFor();
  const isClosed = () => page.locator("dialog[open]").first().waitFor({ state: "detached" });

  // Press Tab, or the arrow of a menu, up to an element of the dialog that is open, or of the page.
  const reach = async (role, name, key = "Tab") => {
    const within = (await page.locator("dialog[open]").count()) > 0 ? page.locator("dialog[open]").last() : page;
    const wanted = within.getByRole(role, { name, exact: true }).first();
    await wanted.waitFor();
    for (let press = 0; press < MOST_TABS; press += 1) {
      if (await wanted.evaluate((element) => element === document.activeElement)) return;
      await keyboard.press(key);
    }
    throw new Error(`${key} does not reach the ${role} ${name}.`);
  };
  const press = async (role, name, key = "Enter") => {
    await reach(role, name);
    await keyboard.press(key);
  };
  const type = async (name, text, role = "textbox") => {
    await reach(role, name);
    await keyboard.press("ControlOrMeta+A");
    await keyboard.type(text);
  };
  const paste = async (name, text) => {
    await reach("textbox", name);
    await keyboard.insertText(text);
  };
  // Press a button that saves a file, and return the download.
  const save = async (name) => (await Promise.all([page.waitForEvent("download"), press("button", name)]))[0];
  const go = async (letter, title) => {
    await isClosed();
    await keyboard.press("g");
    await keyboard.press(letter);
    await heading(title);
  };
  // Open the menu of a row, and go down to an action.
  const choose = async (menu, action) => {
    await isClosed();
    await press("button", menu);
    await reach("button", action, "ArrowDown");
    await keyboard.press("Enter");
  };
  // Press a button that opens a dialog, and the button in it that does it.
  const confirm = async (title) => {
    await dialog(title).waitFor();
    await press("button", title);
    await dialog(title).waitFor({ state: "detached" });
  };
  // Type the name in the dialog before something is gone.
  const destroy = async (title, label, text) => {
    await dialog(title).waitFor();
    await type(`${label}: ${text}`, text);
    await keyboard.press("Enter");
    await dialog(title).waitFor({ state: "detached" });
  };
  return { keyboard, dialog, heading, isClosed, reach, press, type, paste, save, go, choose, confirm, destroy };
}

// Signs in where the first field has the focus.
export async function typeIn(page, email, password, title) {
  await page.getByRole("button", { name: "Sign in", exact: true }).waitFor();
  await page.keyboard.type(email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await typist(page).heading(title);
}
