// The page with its lines, and the box of the one that is labelled: it can be changed by keys and by the mouse.

import { bounds } from "../text.js";
import { $, say } from "../ui.js";
import { PageViewer } from "../viewer.js";
import { pagePicture } from "./api.js";
import { fitted, moved, stretched, turned, upright, within } from "./box.js";
import { Frame } from "./frame.js";

const TURN = 0.5; // degrees a key

export class PageView {
  /** changed(): the outline is another one. picked(line): a line of the page was clicked. failed(error): the picture
   *  of the page cannot be had. */
  constructor({ changed, picked, failed }) {
    this.page = null; // { page, width, height, lines }
    this.number = -1; // of the line in it
    this.outline = null;
    this.before = null; // the outline before it was edited
    this.editing = ""; // "keys", "taken" or "left"
    this.changed = changed;
    this.failed = failed;
    this.opened = { page: "" }; // whose picture is shown, or on its way
    this.address = null;
    const onPick = (number) => {
      if (number !== null && number !== this.number && !this.frame.drawing) picked(this.page.lines[number].id);
    };
    this.viewer = new PageViewer($("viewer"), { onPoint: () => {}, onPick });
    this.frame = new Frame(this.viewer, {
      resized: (box) => this.change(fitted(this.outline, ordered(box))),
      drawn: (box) => this.change(upright(box)),
      done: () => this.finish(),
    });
    $("box-edit").addEventListener("keydown", (event) => this.pressed(event));
    $("box-edit").addEventListener("blur", () => this.editing === "keys" && !this.frame.drawing && this.end("taken"));
  }

  /** Show a line on its page. */
  show(task) {
    this.page = task;
    this.number = task.lines.findIndex((line) => line.id === task.line);
    this.outline = { polygon: task.polygon, baseline: task.baseline };
    this.end("");
    this.open();
  }

  /** Show a page none of whose lines is meant. */
  showPage(page, { width, height, lines }) {
    const same = this.page?.page === page;
    this.page = { page, width, height, lines };
    this.number = -1;
    this.outline = null;
    this.end("");
    this.open();
    if (!same) this.fit();
  }

  /** Lay the lines over the page's picture. It is fetched, as an image element could not give the server a key. */
  open() {
    const { page } = this.page;
    if (this.opened.page === page) return this.draw(true);
    const opened = (this.opened = { page });
    this.viewer.clear();
    return pagePicture(page).then(
      (picture) => this.opened === opened && this.lay(picture),
      (error) => {
        if (this.opened === opened) this.opened = { page: "" };
        this.failed(error);
      },
    );
  }

  lay(picture) {
    if (this.address) URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(picture);
    const { width, height } = this.page;
    this.viewer.show(this.address, { width, height, lines: this.outlines() });
    this.viewer.osd.addOnceHandler("open", () => this.draw(true)); // after the viewer's own
  }

  outlines() {
    return this.page.lines.map((line, number) => ({
      polygon: number === this.number ? this.outline.polygon : line.polygon,
      words: [],
    }));
  }

  draw(reveal = false) {
    if (!this.page || !this.viewer.page) return;
    this.viewer.page.lines = this.outlines();
    this.viewer.draw();
    this.viewer.mark(this.number < 0 ? null : this.number);
    this.frame.show(this.outline?.polygon ?? null);
    if (reveal && this.number >= 0) this.viewer.reveal(this.number);
  }

  /** Change the box by keys; a missing line may be drawn, too. */
  edit() {
    this.editing = "keys";
    this.before = this.outline;
    this.frame.draw(Boolean(this.page.drawn));
    $("box-edit").hidden = false;
    $("box-edit").focus();
  }

  end(how) {
    this.editing = how;
    this.frame.draw(false);
    $("box-edit").hidden = true;
  }

  /** The box is as it is to be. */
  finish() {
    this.end("taken");
    this.changed();
  }

  pressed(event) {
    const outline = this.keyed(event);
    if (outline) {
      this.change(outline);
      const { left, top, right, bottom } = bounds(this.outline.polygon);
      say(`Box from ${Math.round(left)}, ${Math.round(top)}, ${Math.round(right - left)} by ${Math.round(bottom - top)}`);
    } else if (event.key === "Enter") this.finish();
    else if (event.key === "Escape") {
      this.outline = this.before;
      this.end("left");
      this.draw();
      this.changed();
      $("text").focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** The outline that a key makes; null where it makes none. */
  keyed(event) {
    if (event.key === ",") return turned(this.outline, -TURN);
    if (event.key === ".") return turned(this.outline, TURN);
    const [right, down] = ARROWS[event.key] ?? [0, 0];
    if (!right && !down) return null;
    const { top, bottom } = bounds(this.outline.polygon);
    const step = Math.max(1, Math.round((bottom - top) / 20));
    const [dx, dy] = [right * step, down * step];
    if (event.shiftKey) return stretched(this.outline, { right: dx, bottom: dy });
    if (event.altKey) return stretched(this.outline, { left: dx, top: dy });
    return moved(this.outline, dx, dy);
  }

  change(outline) {
    this.outline = within(outline, this.page.width, this.page.height);
    this.draw();
    if (this.editing === "keys") this.changed();
  }

  /** A box below the line, as large as it; in the middle of a page where no line is meant. */
  below() {
    const { width, height } = this.page;
    if (!this.outline) return upright({ left: 0.1 * width, right: 0.9 * width, top: 0.48 * height, bottom: 0.52 * height });
    const { left, top, right, bottom } = bounds(this.outline.polygon);
    const down = Math.min(1.1 * (bottom - top), height - bottom);
    return upright({ left, right, top: top + down, bottom: bottom + down });
  }

  zoom(factor) {
    this.viewer.zoom(factor);
  }

  fit() {
    this.viewer.fit();
  }

  toggleOutlines() {
    const visible = $("outlines").getAttribute("aria-pressed") !== "true";
    $("outlines").setAttribute("aria-pressed", String(visible));
    this.viewer.outline(visible);
  }
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A box whose corner was dragged beyond the opposite one keeps its order. */
function ordered({ left, top, right, bottom }) {
  return {
    left: Math.min(left, right), right: Math.max(left, right), top: Math.min(top, bottom), bottom: Math.max(top, bottom),
  };
}
