// The line that is to be labelled: its picture, its text, what stands around it and what was said of it.

import { $, say } from "../ui.js";
import * as api from "./api.js";

const PAUSE = 150; // milliseconds that an outline rests before its picture is fetched

export class Panel {
  /** alphabet: the characters that the recogniser knows; null where nobody can say. */
  constructor(alphabet) {
    this.alphabet = alphabet && new Set(alphabet);
    this.address = null;
    this.timer = null;
    $("text").addEventListener("input", () => this.check());
    $("text").addEventListener("paste", (event) => this.pasted(event));
  }

  get text() {
    return $("text").value;
  }

  set text(value) {
    $("text").value = value;
    this.check();
  }

  /** Show a line. */
  show(task, outline) {
    const number = task.lines.findIndex((line) => line.id === task.line);
    $("where").textContent = `${task.name}, line ${number + 1} of ${task.lines.length}`;
    $("why").hidden = !task.why.length;
    $("why").replaceChildren(...task.why.map((reason) => Object.assign(document.createElement("li"), { textContent: reason })));
    $("sure").textContent = task.model.text && !task.why.length ? `the model is ${Math.round(100 * task.model.confidence)} % sure` : "";
    $("own").textContent = task.own ? SAID[task.own.status] : "";
    $("before").textContent = task.lines[number - 1]?.text ?? "";
    $("after").textContent = task.lines[number + 1]?.text ?? "";
    this.text = task.text;
    this.others(task);
    $("save").textContent = task.adjudicate ? "Decide, next" : "Right, next";
    this.picture(task.page, outline, 0);
    $("text").focus();
    $("text").setSelectionRange(0, 0);
    say(`${$("where").textContent}. ${task.why.join(", ")} ${task.adjudicate ? "Annotators disagree: decide." : ""}`);
  }

  /** What annotators said of a line that they dispute, to choose from. */
  others(task) {
    $("others").hidden = !task.adjudicate;
    const title = document.createElement("p");
    title.textContent = "Annotators disagree. Choose, or write what is right:";
    const choices = task.others.map((label, number) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button";
      button.textContent = `${number + 1}  ${label.annotator}: ${label.status === "labeled" ? label.text : label.status}`;
      button.addEventListener("click", () => this.take(label));
      return button;
    });
    $("others").replaceChildren(title, ...choices);
  }

  take(label) {
    if (!label) return;
    if (label.status === "labeled") this.text = label.text;
    else $(`command-${label.status}`).focus();
    if (label.status === "labeled") $("text").focus();
  }

  /** Show what an outline encloses, once it has rested. */
  picture(page, outline, pause = PAUSE) {
    clearTimeout(this.timer);
    const asked = (this.asked = {});
    this.timer = setTimeout(async () => {
      const blob = await api.picture(page, outline.polygon, outline.baseline).catch((error) => error);
      if (asked !== this.asked) return; // another line is shown by now
      if (blob instanceof Error) {
        this.note(blob.message);
        return;
      }
      if (this.address) URL.revokeObjectURL(this.address);
      this.address = URL.createObjectURL(blob);
      $("strip").src = this.address;
    }, pause);
  }

  note(text) {
    $("hint").textContent = text;
  }

  /** Say which characters the recogniser does not know: they are kept all the same. */
  check() {
    const unknown = this.alphabet ? [...new Set(this.text.normalize("NFC"))].filter((c) => !this.alphabet.has(c)) : [];
    this.note(unknown.length ? `${unknown.join(" ")} is not known to this recogniser. It is kept as you write it.` : "");
  }

  /** A label is one line: browsers would drop line breaks without a trace. */
  pasted(event) {
    const pasted = event.clipboardData.getData("text/plain");
    if (!/[\t\n\r\u2028\u2029]/.test(pasted)) return;
    event.preventDefault();
    const field = event.target;
    field.setRangeText(pasted.trim().replace(/\s+/g, " "), field.selectionStart, field.selectionEnd, "end");
    this.check();
    this.note("Tabs and line breaks became spaces: a label is the text of one line.");
  }
}

const SAID = {
  labeled: "you gave it this text",
  illegible: "you said that it is illegible",
  "no-line": "you said that there is no line",
  skipped: "you passed it on",
};
