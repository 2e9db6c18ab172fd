// The text leaves the page: to the clipboard, or as a file in one of the server's formats.

import * as api from "./api.js";
import { $, alertPerson, say } from "./ui.js";

const NAMES = {
  txt: "Plain text (.txt)",
  paragraphs: "Plain text, paragraphs joined (.txt)",
  json: "JSON with outlines (.json)",
  md: "Markdown (.md)",
  alto: "ALTO (.xml)",
  page: "PAGE XML (.xml)",
  hocr: "hOCR (.hocr)",
  csv: "Lines (.csv)",
};
const SUFFIXES = { paragraphs: "txt", alto: "alto.xml", page: "page.xml" };

export class Downloads {
  /** pages(): of the current document, as the server knows them. name(): of its file. */
  constructor({ pages, name }) {
    this.pages = pages;
    this.name = name;
    $("copy").addEventListener("click", () => this.copy());
    $("download").addEventListener("click", () => this.toggle());
    addEventListener("click", (event) => event.target.closest(".menu") || this.toggle(false));
    for (const id of ["formats", "download"]) $(id).addEventListener("keydown", (event) => this.pressed(event));
    $("formats").addEventListener("focusout", (event) => {
      if (!event.relatedTarget?.closest(".menu")) this.toggle(false);
    });
  }

  /** List the formats that there are. */
  offer(formats) {
    $("formats").replaceChildren(...formats.map((name) => this.entry(name)));
  }

  entry(name) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = NAMES[name] ?? name.toUpperCase();
    button.addEventListener("click", () => this.save(name));
    item.append(button);
    return item;
  }

  toggle(open = $("formats").hidden) {
    $("formats").hidden = !open;
    $("download").setAttribute("aria-expanded", String(open));
    if (open) $("formats").querySelector("button").focus();
  }

  pressed(event) {
    const buttons = [...$("formats").querySelectorAll("button")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") {
      this.toggle(false);
      $("download").focus();
    } else if (step && !$("formats").hidden) {
      event.preventDefault();
      buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
    }
  }

  async save(name) {
    this.toggle(false);
    $("download").focus();
    try {
      const blob = await api.format(this.pages(), name);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${this.name().replace(/\.[^.]*$/u, "")}.${SUFFIXES[name] ?? name}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60000);
      say(`${link.download} is saved.`);
    } catch (error) {
      alertPerson(`The file could not be made: ${error.message}`);
    }
  }

  async copy() {
    const text = this.pages().map((page) => page.text).join("\n\n");
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      copyBySelection(text); // pages that do not come over HTTPS or from this machine have no clipboard
    }
    const label = $("copy").querySelector("span");
    label.textContent = "Copied";
    setTimeout(() => (label.textContent = "Copy"), 1500);
    say("The text is copied.");
  }
}

function copyBySelection(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "visually-hidden";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
