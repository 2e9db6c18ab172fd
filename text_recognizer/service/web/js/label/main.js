// The page of the labelling queue: its buttons, its keys, its choices.

import { $, alertPerson, changeTheme } from "../ui.js";
import * as api from "./api.js";
import { buttons, commandOf, help } from "./commands.js";
import { Labelling } from "./labelling.js";
import { chooseName, rememberedName } from "./name.js";
import { showProgress } from "./progress.js";

const LIST_AGAIN = 15_000; // milliseconds after which the counts of the pages are asked for again

async function listPages() {
  const { pages } = await api.pages();
  const chosen = $("page").value;
  const options = pages.map(({ page, state, lines, done }) => {
    const count = state === "read" ? `${done} of ${lines}` : state;
    return new Option(`${page} (${count})`, page, false, page === chosen);
  });
  $("page").replaceChildren(new Option("all pages", ""), ...options);
}

function pressed(event, labelling) {
  if (document.querySelector("dialog[open]") || event.isComposing) return;
  const command = commandOf(event);
  if (!command) return;
  event.preventDefault();
  labelling.run(...command);
}

async function start() {
  const settings = await api.settings();
  $("title").textContent = settings.title;
  document.title = `${settings.title} - labelling`;
  const labelling = new Labelling(settings);
  $("commands").append(...buttons((name) => labelling.run(name)));
  $("keys").append(...help());
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    labelling.run(labelling.task ? "save-text" : "forward");
  });
  labelling.commands["save-text"] = () => labelling.save("labeled");
  $("idle-action").addEventListener("click", () => labelling.run("add"));
  addEventListener("keydown", (event) => pressed(event, labelling));
  addEventListener("pagehide", () => {
    if (labelling.task) api.release(labelling.annotator, labelling.task.page, labelling.task.line);
  });
  for (const name of ["zoom-in", "zoom-out", "fit", "help"]) $(name).addEventListener("click", () => labelling.run(name));
  $("outlines").addEventListener("click", () => labelling.view.toggleOutlines());
  $("theme").addEventListener("click", changeTheme);
  const again = () => {
    labelling.passed = [];
    labelling.advance().catch((error) => labelling.failed(error));
  };
  $("order").addEventListener("change", again);
  $("page").addEventListener("change", again);
  setInterval(() => document.activeElement !== $("page") && listPages().catch(() => {}), LIST_AGAIN);
  $("who").addEventListener("click", async () => {
    const name = await chooseName(labelling.annotator);
    if (name && name !== labelling.annotator) await labelling.begin(name).catch((error) => labelling.failed(error));
  });
  $("show-progress").addEventListener("click", () =>
    showProgress(labelling.annotator, (page, line) => labelling.go(page, line)).catch((error) => labelling.failed(error)));
  await listPages().catch(() => {}); // it is asked for again
  const name = rememberedName() || (await chooseName(settings.annotator, true));
  await labelling.begin(name).catch((error) => labelling.failed(error));
  document.body.dataset.ready = "yes";
}

start().catch((error) => alertPerson(`${error.message} Reload the page to try again.`));
