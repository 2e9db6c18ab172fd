// The text of the page: lines of words, shaded by doubt, corrected in place, by keyboard first.

import { VERY_DOUBTFUL, isDoubtful, lineText, tokens } from "./text.js";

export class Transcript {
  /** on.point(line, word), on.focus(line, word): what the person looks at; on.word(line, word, text),
   *  on.line(line, text), on.accept(line, word): what the person decided. */
  constructor(element, on) {
    this.element = element;
    this.on = on;
    this.page = null;
    this.editing = null;
    element.addEventListener("click", (event) => this.clicked(event));
    element.addEventListener("mousedown", (event) => this.pointedElsewhere(event));
    element.addEventListener("keydown", (event) => this.pressed(event));
    element.addEventListener("focusin", (event) => this.focused(event));
    let rest = "";
    element.addEventListener("pointermove", (event) => {
      const where = `${event.clientX} ${event.clientY}`;
      // Browsers report a move, too, when the text moves under a pointer that rests: the keyboard then has the say.
      if (where !== rest) on.point(...place(event.target));
      rest = where;
    });
    element.addEventListener("pointerleave", () => on.point(null, null));
  }

  /** Show a page's lines; nothing for null. note: what stands there where there are no lines. */
  show(page, note = "") {
    this.page = page;
    const lines = page?.lines ?? [];
    if (!lines.length) {
      const paragraph = document.createElement("p");
      paragraph.className = "empty";
      paragraph.textContent = note;
      this.element.replaceChildren(paragraph);
      return;
    }
    const list = document.createElement("ol");
    list.append(...lines.map((line, number) => this.item(line, number)));
    this.element.replaceChildren(list);
    this.rove();
  }

  /** Save an edit that is open. Call it before another page is shown. */
  finish() {
    this.editing?.(true);
  }

  /** Draw one line again, after its words have changed. */
  refresh(number) {
    const old = this.element.querySelector(`li[data-line="${number}"]`);
    old?.replaceWith(this.item(this.page.lines[number], number));
    this.rove();
  }

  item(line, number) {
    const item = document.createElement("li");
    item.dataset.line = number;
    const words = document.createElement("span");
    words.className = "words";
    words.dir = "auto";
    line.words.forEach((word, index) => words.append(wordElement(word, index), " "));
    if (!line.words.length) words.append(emptyLine());
    const edit = document.createElement("button");
    edit.type = "button";
    edit.className = "edit-line";
    edit.tabIndex = -1;
    edit.setAttribute("aria-label", `Edit line ${number + 1}`);
    edit.title = "Edit the line";
    edit.innerHTML = '<svg aria-hidden="true"><use href="#i-pen"/></svg>';
    item.append(words, edit);
    return item;
  }

  /** Tab stops at doubtful words only, and at the first word where there are none. */
  rove() {
    const words = [...this.element.querySelectorAll(".word")];
    const stops = words.filter((word) => word.classList.contains("doubtful"));
    for (const word of words) word.tabIndex = -1;
    for (const word of stops.length ? stops : words.slice(0, 1)) word.tabIndex = 0;
  }

  mark(line, word = null) {
    for (const marked of this.element.querySelectorAll(".on")) marked.classList.remove("on");
    if (line === null) return;
    this.element.querySelector(`li[data-line="${line}"]`)?.classList.add("on");
    if (word !== null) this.find(line, word)?.classList.add("on");
  }

  find(line, word) {
    return this.element.querySelector(`li[data-line="${line}"] [data-word="${word}"]`);
  }

  focus(line, word) {
    const found = this.find(line, word) ?? this.element.querySelector(`li[data-line="${line}"] .word`);
    found?.focus({ preventScroll: true });
    found?.scrollIntoView({ block: "nearest" });
    return Boolean(found);
  }

  /** Go to the next doubtful word after a place, round the end; false where there is none. */
  focusDoubtful(line = -1, word = -1) {
    const doubtful = [];
    this.page?.lines.forEach((l, i) => l.words.forEach((w, j) => isDoubtful(w) && doubtful.push([i, j])));
    const next = doubtful.find(([i, j]) => i > line || (i === line && j > word)) ?? doubtful[0];
    return next ? this.focus(...next) : false;
  }

  clicked(event) {
    const [line, word] = place(event.target);
    if (line === null || event.target.closest("input")) return;
    if (event.target.closest(".edit-line")) this.editLine(line);
    else if (word !== null && getSelection().isCollapsed) this.editWord(line, word);
  }

  focused(event) {
    const [line, word] = place(event.target);
    if (line !== null) this.on.focus(line, word);
  }

  /** The pointer goes from one edit to another word: the first one's end would take the second from under it. */
  pointedElsewhere(event) {
    const [line, word] = place(event.target);
    const pen = event.target.closest(".edit-line");
    if (!this.editing || event.target.closest("input") || (word === null && !pen)) return;
    event.preventDefault();
    this.finish();
    if (pen) this.editLine(line);
    else this.editWord(line, word);
  }

  pressed(event) {
    const shortcut = (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");
    if (this.editing || shortcut) return;
    const [line, word] = place(event.target);
    if (word === null || !event.target.classList.contains("word")) return;
    const key = event.key;
    if (key === "Enter" && event.shiftKey) this.editLine(line);
    else if (key === "Enter") this.accept(line, word);
    else if (key === " " || key === "F2") this.editWord(line, word);
    else if (key in MOVES) this.move(line, word, MOVES[key], isRightToLeft(event.target));
    else if (key === "Dead" || key === "Process") this.editWord(line, word, ""); // the accent or the composed letter follows
    else if ([...key].length === 1) this.editWord(line, word, "");
    else return;
    // A letter that begins an edit must reach the field that the edit has just opened.
    if (key === " " || ([...key].length !== 1 && key !== "Dead" && key !== "Process")) event.preventDefault();
  }

  accept(line, word) {
    this.on.accept(line, word);
    if (!this.focusDoubtful(line, word)) this.focus(line, word);
  }

  move(line, word, [down, right], mirrored) {
    const lines = this.page.lines;
    let [l, w] = [line + down, word + (mirrored ? -right : right)];
    if (down) w = Math.min(word, (lines[l]?.words.length ?? 1) - 1);
    else if (w < 0) [l, w] = [line - 1, (lines[line - 1]?.words.length ?? 0) - 1];
    else if (w >= lines[line].words.length) [l, w] = [line + 1, 0];
    if (lines[l]) this.focus(l, Math.max(0, w));
  }

  editWord(line, word, start = null) {
    const target = this.find(line, word);
    if (!target) return;
    if (target.classList.contains("blank")) {
      this.editLine(line);
      return;
    }
    const text = this.page.lines[line].words[word].text;
    const input = field(start ?? text, `Word ${word + 1} of line ${line + 1}`, "word-field", text.length);
    const save = (now, sure) => {
      // A field that was opened by typing and is left empty is a slip of the finger, no wish to delete the word.
      if (now === "" && start !== null) return;
      if (now !== text) this.on.word(line, word, now);
      else if (sure) this.on.accept(line, word);
    };
    this.edit(input, target, save, line, word);
    if (start === null) input.select();
  }

  editLine(line) {
    const target = this.element.querySelector(`li[data-line="${line}"] .words`);
    if (!target) return;
    const text = lineText(this.page.lines[line]);
    const input = field(text, `Line ${line + 1}`, "line-field", text.length);
    this.edit(input, target, (now, sure) => (now !== text || sure) && this.on.line(line, now), line, -1);
  }

  /** Put a field in the place of an element until the edit is done or left. save(text, sure): sure by Enter or Tab. */
  edit(input, target, save, line, word) {
    this.finish();
    target.replaceWith(input);
    const end = (keep, next = null) => {
      if (this.editing !== end) return;
      this.editing = null;
      const text = tokens(input.value).join(" ");
      input.replaceWith(target);
      if (keep) save(text, next === "next");
      if (next === "next") this.focusDoubtful(line, word) || this.focus(line, Math.max(0, word));
      if (next === "here") this.focus(line, Math.max(0, word));
    };
    this.editing = end;
    // While another window is in front the field stays the active element: nothing is decided yet.
    input.addEventListener("blur", () => document.activeElement === input || end(true));
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.isComposing || event.keyCode === 229) return; // an input method is at work
      if (event.key === "Escape") end(false, "here");
      else if (event.key === "Tab" && event.shiftKey) return end(true, "here"); // and the browser goes on from there
      else if (event.key === "Enter" || event.key === "Tab") end(true, "next");
      else return;
      event.preventDefault();
    });
    input.focus();
  }
}

const isRightToLeft = (element) => getComputedStyle(element.closest(".words")).direction === "rtl";

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** The line and word that an element stands for; nulls where it stands for none. */
function place(element) {
  const line = element.closest?.("li[data-line]");
  const word = element.closest?.("[data-word]");
  return [line ? Number(line.dataset.line) : null, word ? Number(word.dataset.word) : null];
}

function wordElement(word, index) {
  const element = document.createElement("span");
  const doubtful = isDoubtful(word);
  element.className = "word";
  if (doubtful) element.classList.add("doubtful");
  if (doubtful && word.confidence < VERY_DOUBTFUL) element.classList.add("very");
  if (word.state) element.classList.add(word.state);
  element.dataset.word = index;
  element.setAttribute("role", "button");
  element.textContent = word.text;
  const said = doubtful ? `doubtful, ${Math.round(100 * word.confidence)} %` : word.state;
  if (said) {
    element.setAttribute("aria-label", `${word.text}, ${said}`);
    element.title = said;
    if (doubtful) element.setAttribute("aria-describedby", "word-hint");
  }
  return element;
}

function emptyLine() {
  const element = document.createElement("span");
  element.className = "word blank";
  element.dataset.word = 0;
  element.setAttribute("role", "button");
  element.textContent = "(empty)";
  return element;
}

function field(value, label, name, length) {
  const input = document.createElement("input");
  input.className = name;
  input.value = value;
  input.size = Math.max(4, length + 2);
  input.setAttribute("aria-label", label);
  input.dir = "auto";
  input.autocapitalize = "off";
  input.autocomplete = "off";
  input.spellcheck = false;
  input.maxLength = 1000;
  return input;
}
