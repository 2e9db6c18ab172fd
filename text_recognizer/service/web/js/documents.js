// The documents that are open: read one after the other, corrected, kept in the browser, corrections sent.

import * as api from "./api.js";
import * as storage from "./storage.js";
import { corrected, fromServer, isDoubtful, lineText, rewritten, tokens } from "./text.js";

const RETRY = 5000; // milliseconds after which what could not be sent is sent again
const SHOWN = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"]; // by every browser

export class Documents {
  /** changed(document): something about it is new. failed(message): a person should know. */
  constructor({ changed, failed, settings }) {
    this.list = [];
    this.changed = changed;
    this.failed = failed;
    this.settings = settings;
    this.controller = null;
    this.sending = new Set();
    this.persistent = true;
    addEventListener("online", () => this.sendAll());
  }

  /** Take up what was open before a reload: reading goes on, corrections are sent. */
  async restore() {
    try {
      this.list = await storage.all();
    } catch {
      this.persistent = false; // private windows may forbid storage: everything else still works
    }
    for (const document of this.list) if (document.status === "reading") document.status = "waiting";
    this.readOn();
    this.sendAll();
  }

  /** Open files. drawn: they hold writing for sure. Returns the first new document. */
  async add(files, drawn = false) {
    const fresh = [...files].map((file) => newDocument(file, drawn));
    this.list.push(...fresh);
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
    if (this.persistent) await storage.remove(document.key);
    this.changed(document);
    if (document.stored) await api.forget(document.serverId).catch((error) => {
      if (error.status !== 404) this.failed(`The server still has “${document.name}”: ${error.message}`);
    });
  }

  retry(document) {
    Object.assign(document, { status: "waiting", error: null, pages: [] });
    this.keep(document);
    this.readOn();
  }

  stop() {
    this.controller?.abort();
  }

  /** Read what waits, one document at a time. */
  async readOn() {
    if (this.reading) return;
    while ((this.reading = this.list.find((document) => document.status === "waiting"))) await this.readOne(this.reading);
    this.changed(null);
  }

  async readOne(document) {
    Object.assign(document, { status: "reading", pages: [], error: null, total: null });
    this.changed(document);
    this.controller = new AbortController();
    try {
      await this.ask(document, "page");
      // A few strokes alone are no line to the line finder; but on a drawn sheet they are surely writing.
      if (document.drawn && !document.pages[0]?.lines.length) await this.ask(document, "line");
      if (document.status === "reading") throw new api.ApiError(0, "The answer of the server was cut short.");
    } catch (error) {
      document.status = "failed";
      document.error = error.name === "AbortError" ? "Stopped before it was read." : error.message;
      if (error.retryAfter) document.error += ` Try again in ${error.retryAfter} seconds.`;
    }
    await this.keep(document);
    this.changed(document);
    this.send(document);
  }

  /** Have the server read a document; unit: whether its images hold a page or one line. */
  ask(document, unit) {
    const options = { store: this.settings.feedback, consent: document.consent, pictures: true, unit };
    document.pages = [];
    const take = (event) => this.take(document, event);
    return api.read(document.file, document.name, options, this.controller.signal, take);
  }

  /** One event of the server's answer. */
  async take(document, event) {
    if (event.event === "document") Object.assign(document, { serverId: event.id, total: event.pages });
    if (event.event === "page") document.pages.push(await newPage(document, event));
    if (event.event === "done") Object.assign(document, { status: "done", stored: event.stored, model: event.model });
    if (event.event === "error") {
      document.error = event.problem.detail;
      if (!document.pages.length) document.status = "failed";
      else this.failed(`${document.name}: ${event.problem.detail}`);
    }
    this.changed(document);
  }

  /** Another text for a word; the empty text removes it. */
  correctWord(document, number, line, word, text) {
    const words = document.pages[number].lines[line].words;
    const parts = tokens(text);
    if (parts.length === 1) this.setWords(document, number, line, words.with(word, corrected(words[word], text)), word);
    else this.setWords(document, number, line, rewritten(words, replacing(words, word, parts)), word);
  }

  correctLine(document, number, line, text) {
    this.setWords(document, number, line, rewritten(document.pages[number].lines[line].words, text), null);
  }

  /** A person found a word right. Once no word of its line is doubtful, the line is confirmed. */
  accept(document, number, line, word) {
    const words = document.pages[number].lines[line].words;
    if (words[word].state) return;
    const now = words.with(word, { ...words[word], state: "accepted" });
    this.setWords(document, number, line, now, word, !now.some(isDoubtful));
  }

  setWords(document, number, line, words, word, tell = true) {
    const target = document.pages[number].lines[line];
    document.history.push({ number, line, words: target.words });
    target.words = words;
    if (tell) document.pending.push({ page: number, line, word, text: lineText(target) });
    this.keep(document);
    this.changed(document, line);
    this.send(document);
  }

  /** Take the last correction back. Returns where it was. */
  undo(document) {
    const last = document.history.pop();
    if (!last) return null;
    const target = document.pages[last.number].lines[last.line];
    const before = lineText(target);
    target.words = last.words;
    if (lineText(target) !== before) {
      document.pending.push({ page: last.number, line: last.line, word: null, text: lineText(target) });
    }
    this.keep(document);
    this.changed(document, last.line);
    this.send(document);
    return last;
  }

  async setConsent(document, consent) {
    document.consent = consent;
    document.consentUnsent = document.stored;
    await this.keep(document);
    this.send(document);
  }

  sendAll() {
    for (const document of this.list) this.send(document);
  }

  /** Send corrections that wait; they stay here until the server has them safe. */
  async send(document) {
    if (!document.stored || this.sending.has(document.key)) return;
    this.sending.add(document.key);
    try {
      while (document.pending.length || document.consentUnsent) {
        const batch = document.pending.slice(0, 500);
        if (document.consentUnsent) {
          await api.setConsent(document.serverId, document.consent);
          document.consentUnsent = false;
        }
        if (batch.length) await api.feedback({ id: document.serverId, corrections: batch });
        document.pending.splice(0, batch.length);
        await this.keep(document);
        this.changed(document);
      }
    } catch (error) {
      this.sendFailed(document, error);
    } finally {
      this.sending.delete(document.key);
    }
  }

  sendFailed(document, error) {
    if (error.status === 404) document.stored = false; // deleted there, or too old: what was corrected stays here
    else if (error.status >= 400 && error.status < 500) {
      this.failed(`A correction was not taken: ${error.message}`);
      document.pending.shift(); // it would be refused again; the text here keeps it
    } else setTimeout(() => this.send(document), RETRY);
    this.keep(document);
    this.changed(document);
  }

  async keep(document) {
    if (!this.persistent || !this.list.includes(document)) return;
    try {
      await storage.put(document);
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

async function newPage(document, event) {
  const { lines, ...rest } = event.page;
  const picture = event.picture ? fromDataUrl(event.picture) : SHOWN.includes(document.file.type) ? null : document.file;
  return { ...rest, lines: lines.map(fromServer), picture, milliseconds: event.milliseconds };
}

/** A page in the form that the server knows, corrections included. */
export function toServer(page) {
  const { picture, milliseconds, ...rest } = page;
  const lines = page.lines.map((line) => ({ ...line, text: lineText(line), words: line.words.map(plainWord) }));
  return { ...rest, lines, text: lines.map((line) => line.text).join("\n") };
}

function plainWord({ state, ...word }) {
  return word;
}

const replacing = (words, index, parts) =>
  words.flatMap((word, i) => (i === index ? parts : [word.text])).join(" ");

function fromDataUrl(url) {
  const [head, data] = url.split(",", 2);
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5).split(";")[0] });
}
