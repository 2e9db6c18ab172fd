// The labelling queue: asks for a line, shows it, sends what is said of it, and goes on.

import { $, alertPerson, say } from "../ui.js";
import * as api from "./api.js";
import { Outbox } from "./outbox.js";
import { PageView } from "./page.js";
import { Panel } from "./panel.js";
import { showCounts, whyNone } from "./progress.js";

const SELDOM = 15_000; // milliseconds between two such questions where all is done
const POLL = 3000; // milliseconds between two questions for a line while there is none

export class Labelling {
  /** settings: as the server gives them. */
  constructor(settings) {
    this.settings = settings;
    this.annotator = "";
    this.task = null;
    this.shownAt = 0;
    this.history = []; // lines that were shown, [page, line], the latest last
    this.place = -1; // which of them is shown
    this.passed = []; // lines that are left for later
    this.drafts = new Map(); // texts that were begun and not saved
    this.timer = null;
    this.busy = false;
    this.walking = null;
    this.asked = null; // what was asked for last: earlier answers that come later are not shown
    this.awaited = false; // the next line, as soon as all is sent
    this.panel = new Panel(settings.alphabet);
    this.view = new PageView({
      changed: () => this.outlineChanged(),
      picked: (line) => this.go(this.page, line).catch((error) => this.failed(error)),
      failed: (error) => this.failed(error),
    });
    this.outbox = new Outbox(settings.queue, {
      changed: (count, error) => this.sent(count, error),
      refused: (label, where, error) => alertPerson(`Not kept: ${label.text || label.status} (${where}). ${error.message}`),
    });
    this.commands = {
      illegible: () => this.save("illegible"),
      "no-line": () => this.save("no-line"),
      skip: () => this.save("skipped"),
      back: () => this.walk(-1),
      forward: () => this.walk(1),
      box: () => this.task && this.view.edit(),
      add: () => this.add(),
      read: () => this.read(),
      model: () => this.task && (this.panel.text = this.task.model.text),
      take: (number) => this.panel.take(this.task?.others[number]),
      "zoom-in": () => this.view.zoom(1.5),
      "zoom-out": () => this.view.zoom(1 / 1.5),
      fit: () => this.view.fit(),
      help: () => $("help-dialog").showModal(),
    };
  }

  get page() {
    return this.task?.page ?? $("page").value;
  }

  run(name, ...more) {
    return Promise.resolve(this.commands[name](...more)).catch((error) => this.failed(error));
  }

  /** Begin, or begin again as somebody else. */
  async begin(annotator) {
    this.annotator = annotator;
    $("who-name").textContent = annotator;
    this.history = (await api.recent(annotator).catch(() => ({ lines: [] }))).lines;
    this.place = this.history.length;
    this.passed = [];
    await this.advance();
  }

  /** Show the next line of the queue, once all that was said is safe. */
  async advance() {
    clearTimeout(this.timer);
    const asked = (this.asked = {});
    this.awaited = !(await this.outbox.send());
    if (this.awaited) return;
    const page = $("page").value || null;
    const wish = { annotator: this.annotator, order: $("order").value, page, passed: this.passed };
    const answer = await api.next(wish).catch((error) => this.without(page, error));
    if (!answer) return;
    showCounts(answer.progress, answer.reading);
    if (asked !== this.asked) return; // something else was asked for meanwhile
    if (answer.line) {
      this.show(answer.line);
      this.remember(answer.line);
      return;
    }
    if (this.passed.length) { // they come up again, once
      this.passed = [];
      return this.advance();
    }
    await this.idle(answer);
  }

  /** The page whose lines were wanted is not there any more: go on with all. */
  without(page, error) {
    if (error.status !== 404 || !page) throw error;
    alertOnce(error.message);
    $("page").value = "";
    return this.advance();
  }

  /** A certain line. */
  async go(page, line) {
    const asked = (this.asked = {});
    if (!(await this.outbox.send())) return;
    const task = await api.line(page, line, this.annotator);
    if (asked !== this.asked) return;
    this.show(task);
    this.remember(task);
  }

  remember({ page, line }) {
    this.history = this.history.filter(([p, l]) => p !== page || l !== line);
    this.place = this.history.push([page, line]) - 1;
  }

  /** Back to lines that were shown before, and forward again; at the end the queue goes on. */
  walk(step) {
    if (this.busy) return null;
    const before = this.walking; // answers of a server that is slow would overtake each other
    this.walking = Promise.resolve(before).catch(() => {}).then(() => this.step(step));
    return this.walking;
  }

  async step(step) {
    if (step > 0 && this.place >= this.history.length - 1) {
      if (this.task && !this.task.drawn) this.passed.push([this.task.page, this.task.line]);
      return this.advance();
    }
    if (this.place + step < 0) return say("This is the first line.");
    this.asked = {};
    this.place += step;
    return this.show(await api.line(...this.history[this.place], this.annotator));
  }

  show(task) {
    clearTimeout(this.timer);
    this.keepDraft();
    this.task = task;
    task.text = this.drafts.get(`${task.page}/${task.line}`) ?? task.text;
    this.shownAt = performance.now();
    $("panel").hidden = false;
    $("idle").hidden = true;
    this.picture(true);
    this.view.show(task);
    this.panel.show(task, this.view.outline);
    if (task.drawn) this.view.edit();
    else if (!task.text && !task.own && this.settings.outlines) this.run("read"); // somebody has drawn it: the model has not seen it yet
  }

  /** Whether the page can be seen. */
  picture(shown) {
    $("picture").classList.toggle("away", !shown);
  }

  /** A text that was begun is there again when its line is. */
  keepDraft() {
    if (!this.task || $("panel").hidden) return;
    const { page, line, text } = this.task;
    if (this.panel.text !== text) this.drafts.set(`${page}/${line}`, this.panel.text);
  }

  /** Say why there is no line, and ask again where one may come. */
  async idle({ others, reading, page }) {
    this.keepDraft();
    this.task = null;
    const chosen = $("page").value;
    const [title, text] = whyNone({ others, reading, page }, chosen, this.settings);
    $("idle-title").textContent = title;
    $("idle-text").textContent = text;
    $("idle").hidden = false;
    $("panel").hidden = true;
    const shown = Boolean(chosen) && page?.state === "read";
    this.picture(shown);
    $("idle-action").hidden = !shown || !this.settings.outlines;
    if (shown) this.view.showPage(chosen, await api.page(chosen));
    else this.view.page = null;
    const done = title === "All done" && !chosen;
    if (done) say(text);
    // What is labelled is there from the beginning; what is reviewed comes in.
    const wait = !done ? POLL : this.settings.kind === "review" ? SELDOM : 0;
    if (wait) this.timer = setTimeout(() => this.advance().catch((error) => this.failed(error)), wait);
  }

  /** Keep what is said of the line; the next one comes when the server has it safe. */
  async save(status) {
    if (!this.task || this.busy) return;
    const text = status === "labeled" ? this.panel.text.normalize("NFC").trim() : "";
    if (status === "labeled" && !text) {
      this.panel.note("Write what stands there, or say that it is illegible, or no line.");
      return;
    }
    this.busy = true;
    try {
      const { page, name, line, adjudicate } = this.task;
      const seconds = Math.round(performance.now() - this.shownAt) / 1000;
      const { polygon, baseline } = this.view.outline;
      this.outbox.put(this.annotator, { page, line, status, text, polygon, baseline, adjudication: adjudicate, seconds }, name);
      this.task.text = this.panel.text; // no draft any more
      this.drafts.delete(`${page}/${line}`);
      if (await this.outbox.send()) await this.onward();
      else this.awaited = true;
    } finally {
      this.busy = false;
    }
  }

  /** The line that a missing one was drawn on the way of, else the next. */
  onward() {
    const before = this.task?.drawn && this.task.before;
    return before ? this.go(before.page, before.line) : this.advance();
  }

  /** Something was sent, or could not be. */
  sent(count, error) {
    $("unsent").hidden = !count;
    if (count) {
      const labels = count === 1 ? "Your last label is" : `${count} labels are`;
      $("unsent").textContent = `${labels} kept in this browser, and not on the server yet: ${error.message} Tried again every few seconds.`;
    } else if (this.awaited && !this.busy) {
      this.awaited = false;
      this.onward().catch((failure) => this.failed(failure));
    }
  }

  /** A line that the model did not find, below the one that is shown. */
  add() {
    if (!this.view.page) return;
    const before = this.task?.drawn ? this.task.before : this.task;
    const id = `n${crypto.getRandomValues(new Uint32Array(1))[0].toString(16).padStart(8, "0")}`;
    const outline = this.view.below();
    const { page, name, width, height, lines } = this.view.page;
    const number = before ? lines.findIndex((line) => line.id === before.line) + 1 : lines.length;
    const line = { id, text: "", state: "open", ...outline };
    this.show({
      page, name, width, height, line: id, text: "", why: [], model: { text: "", confidence: 0 }, ...outline, own: null, adjudicate: false,
      others: [], lines: lines.toSpliced(number, 0, line), drawn: true, before,
    });
    say("Missing line: move the box with the arrow keys, or drag over the line on the page. Enter takes it.");
  }

  outlineChanged() {
    if (this.view.editing === "left" && this.task?.drawn) { // with Escape: there is no missing line
      const before = this.task.before;
      return before ? this.go(before.page, before.line).catch((error) => this.failed(error)) : this.advance();
    }
    this.panel.picture(this.task.page, this.view.outline);
    if (this.view.editing === "taken") {
      if (this.task.drawn && !this.panel.text) this.run("read");
      else this.panel.note("The box has changed: the model can read the line again.");
      $("text").focus();
    }
  }

  async read() {
    if (!this.task) return;
    const task = this.task;
    this.panel.note("The model reads the line.");
    const { polygon, baseline } = this.view.outline;
    const found = await api.read(task.page, polygon, baseline);
    if (task !== this.task) return;
    task.model = found;
    this.panel.text = found.text;
    $("sure").textContent = `the model is ${Math.round(100 * found.confidence)} % sure`;
    say(`The model reads: ${found.text || "nothing"}`);
  }

  failed(error) {
    this.panel.note("");
    const passing = error.status === 0 || error.status >= 500;
    if (passing && !this.task) this.timer = setTimeout(() => this.advance().catch((e) => this.failed(e)), POLL);
    alertOnce(error.message);
  }
}

/** A message that is shown already is not shown again. */
function alertOnce(text) {
  const shown = [...document.querySelectorAll("#alerts .alert span")].some((span) => span.textContent === text);
  if (!shown) alertPerson(text);
}
