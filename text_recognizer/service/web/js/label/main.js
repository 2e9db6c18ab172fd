// The page of the labelling queue: its buttons, its keys, its choices.

import { onKeyNeeded } from "../api.js";
import { $, alertPerson, askKey, changeTheme } from "../ui.js";
import * as api from "./api.js";
import { buttons, commandOf, commandsOf, help } from "./commands.js";
import { Labelling } from "./labelling.js";
import { chooseName, rememberedName } from "./name.js";
import { showProgress } from "./progress.js";

const LIST_AGAIN = 15_000; // milliseconds after which the counts of the pages are asked for again

async function listPages() {
  const { pages } = await api.pages();
  const chosen = $("page").selectedOptions[0];
  const options = pages.map(({ page, name, state, lines, done }) => {
    const count = state === "read" ? `${done} of ${lines}` : state;
    return new Option(`${name} (${count})`, page, false, page === chosen.value);
  });
  if (chosen.value && !options.some((option) => option.selected)) options.push(chosen); // it is not among the first now
  $("page").replaceChildren(new Option("all pages", ""), ...options);
}

function pressed(event, labelling, commands) {
  if (document.querySelector("dialog[open]") || event.isComposing) return;
  const command = commandOf(event, commands);
  if (!command) return;
  event.preventDefault();
  labelling.run(...command);
}

/** Make the page that of the queue that the server has: lines to label, or readings to review. */
function suit(settings) {
  const review = settings.kind === "review";
  for (const part of document.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== settings.kind;
  for (const option of [...$("order").options]) if (!settings.orders.includes(option.value)) option.remove();
  $("title").textContent = settings.title;
  document.title = review ? "Review - Text Recognizer" : `${settings.title} - labelling`;
  document.body.classList.toggle("fixed-lines", !settings.outlines);
  $("who").disabled = settings.known;
  $("text").maxLength = settings.longest;
}

async function start() {
  onKeyNeeded(askKey);
  const settings = await api.settings();
  suit(settings);
  const labelling = new Labelling(settings);
  const commands = commandsOf(settings);
  $("commands").append(...buttons((name) => labelling.run(name), commands));
  $("keys").append(...help(commands, settings.orders.includes("disputed")));
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    labelling.run(labelling.task ? "save-text" : "forward");
  });
  labelling.commands["save-text"] = () => labelling.save("labeled");
  $("idle-action").addEventListener("click", () => labelling.run("add"));
  addEventListener("keydown", (event) => pressed(event, labelling, commands));
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
    showProgress(labelling.annotator, (page, line) => labelling.go(page, line), settings.kind).catch((error) => labelling.failed(error)));
  await listPages().catch(() => {}); // it is asked for again
  const name = (settings.known && settings.annotator) || rememberedName() || (await chooseName(settings.annotator, true));
  await labelling.begin(name).catch((error) => labelling.failed(error));
  document.body.dataset.ready = "yes";
}

start().catch((error) => alertPerson(`${error.message} Reload the page to try again.`));
