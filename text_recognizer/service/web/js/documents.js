// The documents that are open: read one after the other, corrected, kept in the browser.

import * as api from "./api.js";
import { Outbox } from "./outbox.js";
import * as storage from "./storage.js";
import { corrected, fromServer, isDoubtful, isTouched, lineText, rewritten, tokens } from "./text.js";

const SHOWN = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"]; // by every browser
const PASSING = [0, 429, 503]; // the server is away or busy: worth another attempt
const ATTEMPTS = 4;
const PAUSE = 3000; // milliseconds before the next attempt, unless the server says how long
export const LONGEST = 1000; // characters of a line that the server takes

export class Documents {
  /** changed(document, line): something about it is new. failed(message), said(message): a person should know. */
  constructor({ changed, failed, said, settings }) {
    Object.assign(this, { changed, failed, said, settings });
    this.list = [];
    this.controller = null;
    this.persistent = false;
    this.leaving = false;
    this.outbox = new Outbox({ documents: this, failed });
    addEventListener("beforeunload", () => this.maybeLeaving()); // what is under way ends before the page is hidden
    addEventListener("pagehide", () => (this.leaving = true));
    addEventListener("pageshow", () => (this.leaving = false));
  }

  /** The page is about to be left, if nothing keeps it: a link that downloads does not leave it. */
  maybeLeaving() {
    this.leaving = true;
    setTimeout(() => (this.leaving = false), PAUSE);
  }

  /** Take up what was open before a reload: reading goes on, corrections are sent. */
  async restore() {
    try {
      this.persistent = await storage.claim();
      if (!this.persistent) this.failed("Your documents are open in another tab. What is opened in this one is not kept.");
      else this.list = await storage.all();
      navigator.storage?.persist?.();
    } catch {
      this.persistent = false;
      this.failed("This browser keeps nothing here: download the text before you leave.");
    }
    for (const document of this.list) if (document.status === "reading") document.status = "waiting";
  }

  /** Go on with what was open, once the server's settings are known. */
  resume() {
    this.readOn();
    this.outbox.sendAll();
  }

  /** Open files. drawn: they hold writing for sure. Returns the first new document. */
  async add(files, drawn = false) {
    const fresh = [...files].map((file) => newDocument(file, drawn));
    this.list.push(...fresh);
    await Promise.all(fresh.map((document) => this.keepBlob(document, "file", document.file)));
    await Promise.all(fresh.map((document) => this.keep(document)));
    this.readOn();
    return fresh[0];
  }

  find(key) {
    return this.list.find((document) => document.key === key);
  }

  async remove(document) {
    this.list = this.list.filter((other) => other !== document);
    if (this.reading === document) this.controller?.abort();
    await this.outbox.forget(document.serverId);
    await storage.remove(document.key).catch(() => {}); // also what an earlier, luckier session kept
    this.changed(document);
  }

  retry(document) {
    document.status = "waiting";
    document.error = null;
    this.keep(document);
    this.changed(document);
    this.readOn();
  }

  stop() {
    this.controller?.abort();
  }

  /** Read what waits, one document at a time. */
  async readOn() {
    if (this.reading) return;
    while ((this.reading = this.list.find((document) => document.status === "waiting"))) {
      await this.readOne(this.reading).catch((error) => this.fail(this.reading, error));
    }
    this.changed(null);
  }

  async readOne(document) {
    this.controller = new AbortController();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.attempt(document);
        break;
      } catch (error) {
        if (this.leaving) return; // the page is being left: it is read on when it comes back
        if (!PASSING.includes(error.status) || attempt === ATTEMPTS || document.pages.length) {
          this.fail(document, error);
          break;
        }
        document.note = error.message;
        this.changed(document);
        await pause(error.retryAfter * 1000 || PAUSE, this.controller.signal);
      }
    }
    await this.keep(document);
    this.changed(document);
    this.outbox.send(document);
  }

  async attempt(document) {
    if (!this.settings.known) Object.assign(this.settings, await api.settings(), { known: true });
    await this.ask(document, "page");
    // A few strokes alone are no line to the line finder; but on a drawn sheet they are surely writing.
    if (document.drawn && !document.pages[0]?.lines.length) await this.ask(document, "line");
    if (document.status !== "failed") document.status = "done";
    this.said(document.error ? `${document.name}: ${document.error}` : `${document.name} is read: ${lineCount(document)} lines.`);
  }

  fail(document, error) {
    const known = error instanceof api.ApiError;
    document.status = "failed";
    document.error = error.name === "AbortError" ? "Stopped before it was read."
      : known ? error.message : "The answer of the server was cut short.";
    this.said(`${document.name}: ${document.error}`);
  }

  /** Have the server read a document; unit: whether its images hold a page or one line. */
  async ask(document, unit) {
    await this.outbox.forget(document.serverId); // what it kept of an earlier attempt
    // What was corrected on an earlier attempt is laid over the same lines of this one.
    const before = [...document.pages, ...(document.before ?? []).slice(document.pages.length)];
    Object.assign(document, { status: "reading", error: null, note: null, total: null, ended: false, before });
    Object.assign(document, { pages: [], pending: [], history: [], stored: false, consentUnsent: false });
    this.changed(document);
    const options = { store: this.settings.feedback, consent: document.consent, pictures: true, unit };
    const take = (event) => this.take(document, event);
    await api.read(document.file, document.name, options, this.controller.signal, take);
    if (!document.ended) throw new api.ApiError(-1, "The answer of the server was cut short.");
    document.before = null;
  }

  /** One event of the server's answer. */
  async take(document, event) {
    if (event.event === "document") Object.assign(document, { serverId: event.id, total: event.pages });
    if (event.event === "page") await this.takePage(document, event);
    if (event.event === "done") Object.assign(document, { stored: event.stored, model: event.model });
    if (event.event === "end") document.ended = true;
    if (event.event === "error") this.takeError(document, event);
    this.changed(document);
  }

  async takePage(document, event) {
    const page = newPage(document, event);
    const number = document.pages.push(page) - 1;
    mend(document, number, document.before?.[number]);
    if (page.picture) await this.keepBlob(document, number, page.picture);
    await this.keep(document);
  }

  takeError(document, event) {
    document.error = event.problem.detail;
    if (event.number === undefined) document.status = "failed";
    else document.pages.push({ lines: [], width: 1, height: 1, picture: null, error: event.problem.detail });
  }

  /** Another text for a word; the empty text removes it. */
  correctWord(document, number, line, word, text) {
    const words = document.pages[number].lines[line].words;
    const parts = tokens(text);
    if (parts.length === 1) this.setWords(document, number, line, words.with(word, corrected(words[word], text)), word);
    else this.setWords(document, number, line, rewritten(words, replacing(words, word, parts)), word);
  }

  /** Another text for a line: all of it is right then. */
  correctLine(document, number, line, text) {
    const words = rewritten(document.pages[number].lines[line].words, text);
    this.setWords(document, number, line, words.map((word) => ({ ...word, state: word.state ?? "accepted" })), null);
  }

  /** A person found a word right. */
  accept(document, number, line, word) {
    const words = document.pages[number].lines[line].words;
    if (!words[word] || words[word].state) return;
    this.setWords(document, number, line, words.with(word, { ...words[word], state: "accepted" }), word);
  }

  setWords(document, number, line, words, word) {
    const target = document.pages[number].lines[line];
    if (lineText({ words }).length > LONGEST) {
      this.failed(`A line can have ${LONGEST} characters at most.`);
      return;
    }
    document.history.push({ number, line, words: target.words });
    const before = lineText(target);
    target.words = words;
    this.tell(document, number, line, word, before);
  }

  /** Take the last correction back. Returns where it was. */
  undo(document) {
    const last = document.history.pop();
    if (!last) return null;
    const target = document.pages[last.number].lines[last.line];
    const before = lineText(target);
    target.words = last.words;
    this.tell(document, last.number, last.line, 0, before);
    return last;
  }

  /** Put a line's text in the outbox: as the whole truth about it once no word of it is doubtful any more. */
  tell(document, number, line, word, before) {
    const target = document.pages[number].lines[line];
    const whole = !target.words.some(isDoubtful) && target.words.some((other) => other.state);
    const text = lineText(target);
    if (whole || text !== before) document.pending.push({ page: number, line, word: whole ? null : word, text });
    this.keep(document);
    this.changed(document, line);
    this.outbox.send(document);
  }

  async setConsent(document, consent) {
    Object.assign(document, { consent, consentUnsent: true });
    await this.keep(document);
    this.outbox.send(document);
  }

  async keep(document) {
    if (this.list.includes(document)) await this.keeping(() => storage.put(document));
  }

  keepBlob(document, name, data) {
    return this.keeping(() => storage.putBlob(document.key, name, data));
  }

  async keeping(action) {
    if (!this.persistent) return;
    try {
      await action();
    } catch (error) {
      this.persistent = false;
      this.failed(`This browser cannot keep what is open (${error.name}): download the text before you leave.`);
    }
  }
}

function newDocument(file, drawn) {
  const key = [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, "0")).join("");
  const name = file.name || "picture";
  const base = { key, name, file, drawn, created: Date.now() + Math.random(), status: "waiting", error: null, pages: [] };
  return { ...base, total: null, stored: false, serverId: null, consent: false, pending: [], history: [], model: null };
}

function newPage(document, event) {
  const { lines, ...rest } = event.page;
  const picture = event.picture ? fromDataUrl(event.picture) : SHOWN.includes(document.file.type) ? null : document.file;
  return { ...rest, lines: lines.map(fromServer), picture, milliseconds: event.milliseconds };
}

/** Lay what a person had made of a page's lines over the same lines, read again; the new reading hears of it. */
function mend(document, number, old) {
  document.pages[number].lines.forEach((line, index) => {
    const former = old?.lines[index];
    if (!former || former.text !== line.text || !former.words.some(isTouched)) return;
    line.words = former.words;
    const whole = !line.words.some(isDoubtful);
    if (whole || lineText(line) !== line.text) {
      document.pending.push({ page: number, line: index, word: whole ? null : 0, text: lineText(line) });
    }
  });
}

/** A page in the form that the server knows, corrections included. */
export function toServer(page) {
  const { picture, milliseconds, pictured, error, ...rest } = page;
  const lines = page.lines.map((line) => ({ ...line, text: lineText(line), words: line.words.map(plainWord) }));
  return { ...rest, lines, text: lines.map((line) => line.text).join("\n") };
}

const plainWord = ({ state, ...word }) => word;
const lineCount = (document) => document.pages.reduce((sum, page) => sum + page.lines.length, 0);
const replacing = (words, index, parts) => words.flatMap((word, i) => (i === index ? parts : [word.text])).join(" ");

/** Wait; ends early with an AbortError when the signal comes. */
const pause = (milliseconds, signal) =>
  new Promise((resolve, reject) => {
    setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
  });

function fromDataUrl(url) {
  const [head, data] = url.split(",", 2);
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5).split(";")[0] });
}
