// Who is labelling: asked once, remembered by the browser.

import { $ } from "../ui.js";

const KEY = "annotator";

export function rememberedName() {
  try {
    return localStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // storage may be forbidden
  }
}

/** Ask for the name. needed: ask until there is one. Resolves to it, "" for none. */
export async function chooseName(offered, needed = false) {
  const dialog = $("name-dialog");
  $("name").value = offered;
  for (;;) {
    const name = await asked(dialog);
    if (name || !needed) return name;
  }
}

function asked(dialog) {
  return new Promise((resolve) => {
    let name = "";
    $("name-form").onsubmit = () => {
      name = $("name").value.trim().replace(/\s+/g, " ").normalize("NFC");
      if (!name) return;
      try {
        localStorage.setItem(KEY, name);
      } catch {
        // it then lasts as long as the page
      }
    };
    dialog.onclose = () => resolve(name);
    dialog.showModal();
    $("name").select();
  });
}
