// Pure functions on outlines of lines: { polygon, baseline }, in pixels of the page.

import { bounds } from "../text.js";

const LEAST = 6; // pixels that a box keeps in each direction

/** The outline with its upright box changed to another: its shape is stretched along. */
export function fitted(outline, box) {
  const old = bounds(outline.polygon);
  const right = Math.max(box.right, box.left + LEAST);
  const bottom = Math.max(box.bottom, box.top + LEAST);
  const along = (right - box.left) / Math.max(1, old.right - old.left);
  const down = (bottom - box.top) / Math.max(1, old.bottom - old.top);
  return mapped(outline, ([x, y]) => [box.left + (x - old.left) * along, box.top + (y - old.top) * down]);
}

/** The outline with its edges moved by so many pixels. */
export function stretched(outline, { left = 0, top = 0, right = 0, bottom = 0 }) {
  const old = bounds(outline.polygon);
  const box = { left: old.left + left, top: old.top + top, right: old.right + right, bottom: old.bottom + bottom };
  if (box.right - box.left < LEAST || box.bottom - box.top < LEAST) return outline;
  return fitted(outline, box);
}

export const moved = (outline, dx, dy) => mapped(outline, ([x, y]) => [x + dx, y + dy]);

/** The outline turned about its middle, by degrees, clockwise as the page is seen. */
export function turned(outline, degrees) {
  const { left, top, right, bottom } = bounds(outline.polygon);
  const [cx, cy] = [(left + right) / 2, (top + bottom) / 2];
  const [cos, sin] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
  return mapped(outline, ([x, y]) => [cx + (x - cx) * cos - (y - cy) * sin, cy + (x - cx) * sin + (y - cy) * cos]);
}

/** An upright box as an outline; where its letters stand is left to the server. */
export function upright({ left, top, right, bottom }) {
  return { polygon: [[left, top], [right, top], [right, bottom], [left, bottom]], baseline: [] };
}

/** The outline with all points within the page. */
export function within(outline, width, height) {
  return mapped(outline, ([x, y]) => [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)]);
}

function mapped(outline, change) {
  const round = (point) => change(point).map((value) => Math.round(value * 10) / 10);
  return { polygon: outline.polygon.map(round), baseline: outline.baseline.map(round) };
}
