// The picture of the page, to zoom and pan (OpenSeadragon), with the outlines of lines and words over it.

import { bounds, inside } from "./text.js";

/* global OpenSeadragon */
const SVG = "http://www.w3.org/2000/svg";
const READABLE = 22; // pixels of the screen: a line lower than this is zoomed in on ...
const GOOD = 44; // ... until it has this height, or fills the width

export class PageViewer {
  /** onPoint(line, word): the pointer is over a line (null: over none). onPick(line, word): it was clicked. */
  constructor(element, { onPoint, onPick }) {
    this.page = null;
    this.overlay = null;
    withoutInlineStyle();
    this.osd = OpenSeadragon({
      element,
      showNavigationControl: false,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: true },
      gestureSettingsPen: { clickToZoom: false },
      maxZoomPixelRatio: 4,
      minZoomImageRatio: 0.7,
      visibilityRatio: 0.3,
      animationTime: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.5,
      drawer: "canvas",
    });
    this.osd.canvas.setAttribute("role", "application");
    this.osd.canvas.setAttribute("aria-label", "Picture of the page: arrow keys move it, plus and minus zoom");
    this.osd.addHandler("canvas-click", (event) => {
      if (event.quick) onPick(...this.at(event.position));
    });
    this.osd.addHandler("canvas-key", (event) => {
      if ("rRfF".includes(event.originalEvent.key)) event.preventDefaultAction = true; // would rotate and flip
    });
    this.osd.canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) return;
      const box = this.osd.canvas.getBoundingClientRect();
      onPoint(...this.at(new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top)));
    });
    this.osd.canvas.addEventListener("pointerleave", () => onPoint(null, null));
  }

  /** Show a page: its picture's address, and its lines. */
  show(url, page) {
    const same = this.url === url;
    this.page = page;
    if (same) {
      this.draw();
      return;
    }
    this.url = url;
    this.osd.clearOverlays();
    this.overlay = null;
    this.osd.addOnceHandler("open", () => this.draw());
    this.osd.open({ type: "image", url, buildPyramid: true });
  }

  clear() {
    this.page = this.url = this.overlay = null;
    this.osd.clearOverlays();
    this.osd.close();
  }

  /** Lay the outlines of the page's lines and words over its picture. */
  draw() {
    if (!this.page || !this.osd.world.getItemCount()) return;
    const { width, height, lines } = this.page;
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", "outlines");
    svg.setAttribute("aria-hidden", "true");
    lines.forEach((line, number) => svg.append(group(line, number)));
    if (this.overlay) this.osd.removeOverlay(this.overlay);
    this.overlay = svg;
    this.osd.addOverlay({ element: svg, location: new OpenSeadragon.Rect(0, 0, 1, height / width) });
  }

  /** The line and word under a point of the viewer; nulls where there is none. */
  at(pixel) {
    const item = this.page && this.osd.world.getItemAt(0);
    if (!item) return [null, null];
    const point = item.viewportToImageCoordinates(this.osd.viewport.pointFromPixel(pixel));
    const place = [point.x, point.y];
    const line = this.page.lines.findIndex((candidate) => inside(place, candidate.polygon));
    if (line < 0) return [null, null];
    const word = this.page.lines[line].words.findIndex((candidate) => inside(place, candidate.polygon));
    return [line, word < 0 ? null : word];
  }

  /** Mark a line, and a word in it; null for none. */
  mark(line, word = null) {
    if (!this.overlay) return;
    for (const marked of this.overlay.querySelectorAll(".on")) marked.classList.remove("on");
    if (line === null) return;
    const found = this.overlay.querySelector(`[data-line="${line}"]`);
    found?.classList.add("on");
    if (word !== null) found?.querySelector(`[data-word="${word}"]`)?.classList.add("on");
  }

  /** Bring a line into view, and near where it could not be read from here. */
  reveal(number) {
    const item = this.osd.world.getItemAt(0);
    const line = this.page?.lines[number];
    if (!item || !line?.polygon.length) return;
    const { left, top, right, bottom } = bounds(line.polygon);
    const rect = item.imageToViewportRectangle(left, top, right - left, bottom - top);
    const view = this.osd.viewport.getBounds();
    const screen = this.osd.viewport.getContainerSize();
    const shown = (rect.height / view.height) * screen.y; // the line's height in pixels of the screen
    const hidden = rect.y < view.y || rect.y + rect.height > view.y + view.height || rect.x + rect.width < view.x
      || rect.x > view.x + view.width;
    if (shown >= READABLE && !hidden) return;
    const near = Math.max(rect.width * 1.08, (rect.height * screen.x) / GOOD);
    const width = shown < READABLE ? near : view.width;
    const height = (width * screen.y) / screen.x;
    // Not beyond the page's edges, where the page is large enough to fill the view.
    const x = clamp(rect.x + rect.width / 2 - width / 2, 1 - width);
    const y = clamp(rect.y + rect.height / 2 - height / 2, this.page.height / this.page.width - height);
    this.osd.viewport.fitBounds(new OpenSeadragon.Rect(x, y, width, height));
  }

  zoom(factor) {
    this.osd.viewport.zoomBy(factor);
    this.osd.viewport.applyConstraints();
  }

  fit() {
    this.osd.viewport.goHome();
  }

  /** Show or hide the outlines of all lines. */
  outline(visible) {
    this.osd.element.classList.toggle("bare", !visible);
  }
}

/** A place from 0 to `most`; half of it where it is negative, which centres what is smaller than the view. */
const clamp = (value, most) => (most < 0 ? most / 2 : Math.min(Math.max(value, 0), most));

/** OpenSeadragon adds a style element of its own where it sees none; our content security policy forbids that. */
function withoutInlineStyle() {
  const marker = document.createElementNS("urn:none", "style");
  marker.setAttribute("data-openseadragon-mobile-css", "true");
  document.head.append(marker);
}

function group(line, number) {
  const element = document.createElementNS(SVG, "g");
  element.dataset.line = number;
  element.append(polygon(line.polygon, "line"));
  line.words.forEach((word, index) => {
    const shape = polygon(word.polygon, "word");
    shape.dataset.word = index;
    element.append(shape);
  });
  return element;
}

function polygon(points, name) {
  const element = document.createElementNS(SVG, "polygon");
  element.setAttribute("points", points.map((point) => point.join(",")).join(" "));
  element.setAttribute("class", name);
  return element;
}
