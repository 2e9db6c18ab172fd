// What the server is still to hear: corrections, consent, deletions. It waits here, also over reloads, until it is told.

import * as api from "./api.js";
import * as storage from "./storage.js";

const AGAIN = 5000; // milliseconds after which what could not be sent is sent again
const MOST = 500; // corrections in a request

export class Outbox {
  constructor({ documents, failed }) {
    this.documents = documents;
    this.failed = failed;
    this.sending = new Set();
    this.timer = null;
    addEventListener("online", () => this.sendAll());
  }

  async sendAll() {
    for (const document of this.documents.list) this.send(document);
    const ids = await storage.forgotten().catch(() => []);
    for (const id of ids) await this.delete(id);
  }

  /** Have the server delete a reading; remembered until it has. */
  async forget(id) {
    if (!id) return;
    await storage.forget(id).catch(() => {});
    await this.delete(id);
  }

  async delete(id) {
    try {
      await api.forget(id);
    } catch (error) {
      if (error.status !== 404) return this.later();
    }
    return storage.forgetDone(id).catch(() => {});
  }

  /** Send what waits of a document; it stays here until the server has it safe. */
  async send(document) {
    if (!document.stored || document.status === "reading" || this.sending.has(document.key)) return;
    this.sending.add(document.key);
    try {
      await this.sendConsent(document);
      while (document.pending.length) await this.sendSome(document, document.pending.slice(0, this.size(document)));
    } catch (error) {
      this.postpone(document, error);
    } finally {
      this.sending.delete(document.key);
    }
  }

  size(document) {
    return document.oneByOne ? 1 : MOST;
  }

  async sendConsent(document) {
    while (document.consentUnsent) {
      const told = document.consent;
      await api.setConsent(document.serverId, told);
      document.consentUnsent = document.consent !== told; // it may have been changed meanwhile
    }
  }

  async sendSome(document, some) {
    try {
      await api.feedback({ id: document.serverId, corrections: some });
    } catch (error) {
      if (error.status !== 422) throw error;
      if (some.length > 1) {
        document.oneByOne = true; // one of them is at fault: the others must not suffer
        return;
      }
      this.failed(`A correction was not taken by the server, but stays here: ${error.message}`);
    }
    document.pending.splice(0, some.length);
    if (!document.pending.length) document.oneByOne = false;
    await this.documents.keep(document);
    this.documents.changed(document);
  }

  postpone(document, error) {
    if (error.status === 404) document.stored = false; // deleted there, or too old: what was corrected stays here
    else this.later(error.retryAfter * 1000);
    this.documents.keep(document);
    this.documents.changed(document);
  }

  /** One timer for all. */
  later(milliseconds = 0) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.sendAll(), milliseconds || AGAIN);
  }
}
