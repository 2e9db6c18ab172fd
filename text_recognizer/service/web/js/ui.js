// Small parts of the page: messages, and the ways in for pictures.

export const $ = (id) => document.getElementById(id);

/** Tell people who listen to the page. */
export function say(text) {
  $("status").textContent = text;
}

/** Show what went wrong until it is put away. */
export function alertPerson(text) {
  const box = document.createElement("p");
  box.className = "alert";
  const words = document.createElement("span");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button icon";
  close.setAttribute("aria-label", "Close this message");
  close.innerHTML = '<svg aria-hidden="true"><use href="#i-close"/></svg>';
  close.addEventListener("click", () => box.remove());
  box.append(words, close);
  $("alerts").append(box);
}

/** Show a dialog; resolves to what it was closed with, "" for Escape. */
export function asked(dialog) {
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue), { once: true }));
}

/** Ask for the server's key. wrong: one was given that the server does not know. */
export async function askKey(wrong) {
  $("key").value = "";
  $("key-wrong").hidden = !wrong;
  $("key-cancel").onclick = () => $("key-dialog").close("");
  const answer = await asked($("key-dialog"));
  return answer === "given" ? $("key").value.trim() : null;
}

/** Show the ways to the pages that this server has. has: name of a page -> whether it does. */
export function showSites(has) {
  for (const link of document.querySelectorAll(".sites a")) link.hidden = has[link.dataset.site] === false;
}

const SAMPLES = [
  ["letter.jpg", "A letter, drawn with a handwriting font"],
  ["copiste-1.jpg", "A page from France"],
  ["copiste-2.jpg", "Another page from France"],
  ["notes-photograph.jpg", "Notes, photographed"],
];

/** Every way in: choosing, photographing, dropping, pasting, samples. open(files) takes them. */
export function takeIn(open) {
  choosing("open", "files", open);
  choosing("choose", "files", open);
  choosing("photograph", "camera", open);
  choosing("choose-camera", "camera", open);
  for (const id of ["files", "camera"]) {
    $(id).addEventListener("change", (event) => {
      const files = [...event.target.files];
      event.target.value = ""; // so that the same file can be chosen again
      if (files.length) open(files);
    });
  }
  dropping(open);
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    // Text from an office program comes with a picture of itself: in a field, the text is meant.
    const text = event.target.closest?.("input, textarea") && event.clipboardData.types.includes("text/plain");
    if (!files.length || text) return;
    event.preventDefault();
    open(files);
  });
  $("samples").replaceChildren(...SAMPLES.map(([name, title]) => sample(name, title, open)));
  $("theme").addEventListener("click", changeTheme);
}

function choosing(button, input) {
  $(button).addEventListener("click", () => $(input).click());
}

function dropping(open) {
  let depth = 0; // dragenter and dragleave come for every element on the way
  const show = (visible) => ($("dropping").hidden = !visible);
  addEventListener("dragenter", (event) => {
    if (!isFiles(event)) return;
    depth += 1;
    show(true);
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    if (!depth) show(false);
  });
  const isFiles = (event) => [...event.dataTransfer.types].includes("Files");
  addEventListener("dragover", (event) => isFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault();
    depth = 0;
    show(false);
    const files = [...event.dataTransfer.files];
    if (files.length) open(files);
  });
}

function sample(name, title, open) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const image = new Image();
  image.src = `samples/${name}`;
  image.alt = "";
  image.loading = "lazy";
  const caption = document.createElement("span");
  caption.textContent = title;
  button.append(image, caption);
  button.addEventListener("click", async () => {
    const response = await fetch(image.src).catch(() => null);
    if (!response?.ok) return alertPerson("The sample cannot be had from this server now.");
    return open([new File([await response.blob()], name, { type: "image/jpeg" })]);
  });
  item.append(button);
  return item;
}

export function changeTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("theme", next);
  } catch {
    // storage may be forbidden: the theme then lasts as long as the page
  }
}
