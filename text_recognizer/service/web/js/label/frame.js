// The frame around the line on the page's picture: its corners can be dragged, and a missing line can be drawn.

import { bounds } from "../text.js";

/* global OpenSeadragon */
const CORNERS = ["left top", "right top", "right bottom", "left bottom"];

export class Frame {
  /** viewer: a PageViewer. resized(box): a corner was dragged to make this box. drawn(box): a line was drawn.
   *  Boxes are { left, top, right, bottom } in pixels of the page. done(): the drag has ended. */
  constructor(viewer, { resized, drawn, done }) {
    this.viewer = viewer;
    this.osd = viewer.osd;
    this.on = { resized, drawn, done };
    this.box = null;
    this.drawing = false;
    this.start = null;
    this.element = frameElement();
    for (const handle of this.element.children) this.track(handle);
    this.osd.addHandler("canvas-press", (event) => {
      if (this.drawing) this.start = this.imagePoint(event.position);
    });
    this.osd.addHandler("canvas-drag", (event) => {
      if (!this.drawing || !this.start) return;
      event.preventDefaultAction = true;
      this.on.drawn(spanned(this.start, this.imagePoint(event.position)));
    });
    this.osd.addHandler("canvas-drag-end", () => {
      if (!this.drawing || !this.start) return;
      this.start = null;
      this.on.done();
    });
  }

  /** Show the frame around an outline; null takes it away. */
  show(polygon) {
    this.box = polygon && bounds(polygon);
    const item = this.osd.world.getItemAt(0);
    if (!this.box || !item) {
      this.osd.removeOverlay(this.element);
      return;
    }
    const { left, top, right, bottom } = this.box;
    const location = item.imageToViewportRectangle(left, top, right - left, bottom - top);
    // Taken out and put in again, it would lose the pointer that drags its corner.
    if (this.osd.getOverlayById(this.element)) this.osd.updateOverlay(this.element, location);
    else this.osd.addOverlay({ element: this.element, location });
    this.element.parentElement.style.zIndex = 1; // above the outlines, so that the corners can be caught
  }

  /** Whether a drag on the page draws a line rather than moving the page. */
  draw(on) {
    this.drawing = on;
    this.start = null;
    this.osd.element.classList.toggle("drawing-line", on);
  }

  track(handle) {
    const [side, end] = handle.dataset.corner.split(" ");
    handle.addEventListener("pointerdown", (event) => {
      event.stopPropagation(); // the page stays where it is
      event.preventDefault(); // and the text keeps the focus
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      event.stopPropagation();
      const rect = this.osd.canvas.getBoundingClientRect();
      const [x, y] = this.imagePoint(new OpenSeadragon.Point(event.clientX - rect.left, event.clientY - rect.top));
      this.on.resized({ ...this.box, [side]: x, [end]: y });
    });
    handle.addEventListener("lostpointercapture", () => this.on.done());
  }

  imagePoint(pixel) {
    const point = this.osd.world.getItemAt(0).viewportToImageCoordinates(this.osd.viewport.pointFromPixel(pixel));
    return [point.x, point.y];
  }
}

function frameElement() {
  const element = document.createElement("div");
  element.className = "frame";
  for (const corner of CORNERS) {
    const handle = document.createElement("div");
    handle.className = `corner ${corner}`;
    handle.dataset.corner = corner;
    element.append(handle);
  }
  return element;
}

function spanned([x, y], [u, v]) {
  return { left: Math.min(x, u), top: Math.min(y, v), right: Math.max(x, u), bottom: Math.max(y, v) };
}
