// The page: what was dropped, pasted, chosen, photographed or drawn becomes text that can be corrected.

import * as api from "./api.js";
import { Documents, toServer } from "./documents.js";
import { Downloads } from "./downloads.js";
import { Sheet } from "./sheet.js";
import { isDoubtful } from "./text.js";
import { Transcript } from "./transcript.js";
import { PageViewer } from "./viewer.js";
import { PageList } from "./pages.js";
import { $, alertPerson, asked, askKey, say, showSites, takeIn } from "./ui.js";

const state = { document: null, number: 0 };
let documents = null;
const settings = { known: false, feedback: false, retention_days: 0, formats: ["txt", "json"] };

const page = () => state.document?.pages[state.number] ?? null;

const viewer = new PageViewer($("viewer"), {
  onPoint: (line, word) => point(line, word),
  onPick: (line, word) => line !== null && transcript.focus(line, word ?? 0),
});

const transcript = new Transcript($("text"), {
  point: (line, word) => point(line, word),
  focus: (line, word) => {
    point(line, word);
    viewer.reveal(line);
  },
  word: (line, word, text) => documents.correctWord(state.document, state.number, line, word, text),
  line: (line, text) => documents.correctLine(state.document, state.number, line, text),
  accept: (line, word) => documents.accept(state.document, state.number, line, word),
});

const list = new PageList($("page-list"), {
  select: (document, number) => show(document, number),
  retry: (document) => documents.retry(document),
  remove: (document) => remove(document),
});

const downloads = new Downloads({ pages: () => state.document.pages.map(toServer), name: () => state.document.name });

/** Mark what is under the pointer or the keyboard in picture and text alike. */
function point(line, word) {
  viewer.mark(line, word);
  transcript.mark(line, word);
}

/** Show a page of a document. */
function show(document, number = 0) {
  transcript.finish();
  state.document = document;
  state.number = number;
  draw();
}

function draw() {
  const open = documents.list.length > 0;
  $("welcome").hidden = open;
  $("work").hidden = !open;
  document.body.classList.toggle("working", open);
  if (!open) {
    state.document = null;
    viewer.clear();
    list.show([], null, 0);
    return;
  }
  if (!documents.list.includes(state.document)) [state.document, state.number] = [documents.list.at(-1), 0];
  list.show(documents.list, state.document, state.number);
  drawPage();
  drawFooter();
}

function drawPage() {
  const current = page();
  const { status, error, pages, note: waiting } = state.document;
  if (current && !current.error) viewer.show(list.picture(state.document, state.number), current);
  else viewer.clear();
  const failed = status === "failed" || current?.error;
  const note = failed ? current?.error ?? error : current ? "No writing was found on this page." : waiting ?? "Reading…";
  transcript.show(current, note);
  for (const id of ["copy", "download"]) $(id).disabled = !pages.length;
  drawDoubts();
}

function drawDoubts() {
  const words = page()?.lines.flatMap((line) => line.words) ?? [];
  const count = words.filter(isDoubtful).length;
  $("doubt-count").textContent = count === 1 ? "1 doubtful word" : count ? `${count} doubtful words` : "No doubtful words";
  $("next-doubt").disabled = !count;
  $("undo").disabled = !state.document.history.length;
}

function drawFooter() {
  const { stored, pending, status, consent } = state.document;
  $("consent-label").hidden = !settings.feedback || (status === "done" && !stored);
  $("consent").checked = consent;
  const days = settings.retention_days;
  if (!settings.feedback) $("kept").textContent = "Kept in this browser only.";
  else if (pending.length && stored) {
    const what = pending.length === 1 ? "1 correction waits" : `${pending.length} corrections wait`;
    $("kept").textContent = `${what} to be sent.`;
  }
  else if (stored) $("kept").textContent = consent ? "Corrections are kept on the server." : `Kept on the server for ${days === 1 ? "a day" : `${days} days`}.`;
  else $("kept").textContent = status === "done" ? "Kept in this browser only." : "";
}

/** What to draw again after a change of a document; line: only that line's words changed. */
function changed(document, line = null) {
  drawProgress();
  if (document && document === state.document && line !== null) {
    viewer.show(list.picture(document, state.number), page());
    transcript.page = page();
    transcript.refresh(line);
    drawDoubts();
    drawFooter();
  } else if (document === state.document && page() !== transcript.page) {
    draw();
  } else {
    list.show(documents.list, state.document, state.number);
    if (!documents.list.includes(state.document)) draw();
    else if (page()) drawFooter();
    else drawPage();
  }
}

function drawProgress() {
  const reading = documents.list.find((document) => document.status === "reading");
  $("progress").hidden = !reading;
  if (!reading) return;
  const bar = $("progress-value");
  const waiting = documents.list.filter((document) => document.status === "waiting").length;
  const of = reading.total > 1 ? `page ${Math.min(reading.pages.length + 1, reading.total)} of ${reading.total} of ` : "";
  $("progress-text").textContent = reading.note ? `${reading.note} It is tried again…` : `Reading ${of}${reading.name}${waiting ? `, then ${waiting} more` : ""}…`;
  if (reading.total > 1) [bar.max, bar.value] = [reading.total, reading.pages.length];
  else bar.removeAttribute("value");
}

async function open(files, drawn = false) {
  const large = files.filter((file) => file.size > settings.max_request_bytes);
  for (const file of large) alertPerson(`${file.name} is larger than this server takes (${settings.max_request_bytes / 1e6} MB).`);
  const small = files.filter((file) => !large.includes(file));
  if (!small.length) return;
  const first = await documents.add(small, drawn);
  show(first);
  changed(first);
}

async function remove(document) {
  transcript.finish();
  if (document.pages.length && !(await confirmed(`Remove ${document.name}?`))) return;
  await documents.remove(document);
  draw();
  $(documents.list.length ? "text" : "choose").focus();
}

/** Ask before something is lost. */
function confirmed(question) {
  $("confirm-title").textContent = question;
  $("confirm-text").textContent = settings.feedback
    ? "Its picture, its text and your corrections are deleted, here and on the server."
    : "Its picture, its text and your corrections are deleted.";
  return asked($("confirm-dialog")).then((answer) => answer === "yes");
}

function nextDoubt() {
  const focused = window.document.activeElement?.closest?.("[data-word]");
  const line = focused?.closest("li[data-line]");
  transcript.focusDoubtful(line ? Number(line.dataset.line) : -1, focused ? Number(focused.dataset.word) : -1);
}

function undo() {
  transcript.finish();
  const place = state.document && documents.undo(state.document);
  if (!place) return;
  if (place.number !== state.number) show(state.document, place.number);
  transcript.focus(place.line, 0);
}

function wireDrawing() {
  const sheet = new Sheet($("sheet"));
  const dialog = $("draw-dialog");
  for (const id of ["draw", "choose-draw"]) $(id).addEventListener("click", () => dialog.showModal());
  $("sheet-undo").addEventListener("click", () => sheet.undo());
  $("sheet-clear").addEventListener("click", () => sheet.clear());
  $("sheet-read").addEventListener("click", async () => {
    if (sheet.blank) return;
    dialog.close();
    await open([new File([await sheet.picture()], "drawing.png", { type: "image/png" })], true);
    sheet.clear();
    $("text").focus();
  });
}

function wireButtons() {
  $("zoom-in").addEventListener("click", () => viewer.zoom(1.4));
  $("zoom-out").addEventListener("click", () => viewer.zoom(1 / 1.4));
  $("fit").addEventListener("click", () => viewer.fit());
  $("outlines").addEventListener("click", (event) => {
    const pressed = event.currentTarget.getAttribute("aria-pressed") !== "true";
    event.currentTarget.setAttribute("aria-pressed", String(pressed));
    viewer.outline(pressed);
  });
  $("next-doubt").addEventListener("click", nextDoubt);
  $("undo").addEventListener("click", undo);
  $("remove").addEventListener("click", () => remove(state.document));
  $("consent").addEventListener("change", (event) => {
    documents.setConsent(state.document, event.target.checked).then(drawFooter);
  });
  $("cancel").addEventListener("click", () => documents.stop());
  $("help").addEventListener("click", () => $("help-dialog").showModal());
  addEventListener("keydown", (event) => {
    const typing = event.target.closest?.(".text input, textarea") || document.querySelector("dialog[open]");
    if ((event.ctrlKey || event.metaKey) && event.key === "z" && !event.shiftKey && !typing) {
      event.preventDefault();
      undo();
    }
  });
}

function describePrivacy() {
  const kept = settings.feedback
    ? `Pages and corrections are kept on this server for ${settings.retention_days} days, so that they can be corrected;
       longer only where you allow training with them. Removing a document here deletes it there as well.`
    : "The server reads pages and keeps nothing.";
  $("privacy-note").textContent = settings.feedback
    ? `It is read on this server and goes nowhere else. It is kept there for ${settings.retention_days} days, or until you remove it.`
    : "It is read on this server, which keeps nothing, and goes nowhere else.";
  $("privacy-text").textContent = `${kept} What is open stays in this browser until you remove it.`.replace(/\s+/g, " ");
}

async function start() {
  api.onKeyNeeded(askKey);
  documents = new Documents({ changed, failed: alertPerson, said: say, settings });
  await documents.restore();
  takeIn(open);
  wireDrawing();
  wireButtons();
  draw();
  try {
    Object.assign(settings, await api.settings(), { known: true });
  } catch (error) {
    alertPerson(error.message);
  }
  showSites({ review: settings.feedback, monitor: settings.monitoring });
  downloads.offer(settings.formats);
  describePrivacy();
  draw();
  documents.resume();
  document.body.dataset.ready = "true";
}

addEventListener("pagehide", () => transcript.finish());
start();
