// Labels on their way to the server. They lie in the browser's storage until the server has them safe.

import * as api from "./api.js";

const AGAIN = 5000; // milliseconds after which what could not be sent is sent again

export class Outbox {
  /** queue: which queue the labels belong to. changed(waiting, error): told whenever something was kept or sent.
   *  refused(label, where, error): the server will never take a label. */
  constructor(queue, { changed, refused }) {
    this.key = `labels-${queue}`;
    this.changed = changed;
    this.refused = refused;
    this.unstored = []; // where storage is forbidden or full they live as long as the page
    this.sending = null;
    this.timer = null;
    addEventListener("online", () => this.send());
  }

  get waiting() {
    try {
      return [...JSON.parse(localStorage.getItem(this.key) ?? "[]"), ...this.unstored];
    } catch {
      return this.unstored;
    }
  }

  /** Keep a label here. where: what people call its page. */
  put(annotator, label, where) {
    const entry = { id: crypto.getRandomValues(new Uint32Array(2)).join("-"), annotator, label, where };
    try {
      localStorage.setItem(this.key, JSON.stringify([...JSON.parse(localStorage.getItem(this.key) ?? "[]"), entry]));
    } catch {
      this.unstored.push(entry);
    }
  }

  /** Send all that waits, the oldest first. Resolves to whether nothing waits any more. */
  send() {
    this.sending ??= this.sendAll().finally(() => (this.sending = null));
    return this.sending;
  }

  async sendAll() {
    clearTimeout(this.timer);
    for (let entry = this.waiting[0]; entry; entry = this.waiting[0]) {
      try {
        await api.save(entry.annotator, [entry.label]);
      } catch (error) {
        if (error.status !== 422 && error.status !== 404) {
          this.timer = setTimeout(() => this.send(), error.retryAfter * 1000 || AGAIN);
          this.changed(this.waiting.length, error);
          return false;
        }
        this.refused(entry.label, entry.where ?? entry.label.page, error);
      }
      this.remove(entry.id);
    }
    this.changed(0, null);
    return true;
  }

  remove(id) {
    this.unstored = this.unstored.filter((entry) => entry.id !== id);
    try {
      const left = JSON.parse(localStorage.getItem(this.key) ?? "[]").filter((entry) => entry.id !== id);
      if (left.length) localStorage.setItem(this.key, JSON.stringify(left));
      else localStorage.removeItem(this.key);
    } catch {
      // storage is forbidden: there is nothing in it
    }
  }
}
