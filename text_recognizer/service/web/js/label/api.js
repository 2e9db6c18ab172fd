// The labelling queue's part of the server's API.

import { call, json } from "../api.js";

const post = async (path, body) => (await call(`v1/queue/${path}`, json("POST", body))).json();
const get = async (path, query = {}) => (await call(`v1/queue/${path}?${new URLSearchParams(query)}`)).json();

export const settings = () => get("settings");
export const next = (body) => post("next", body);
export const line = (page, id, annotator) => get("line", { page, line: id, annotator });
export const page = (name) => get("lines", { page: name });
export const pages = () => get("pages");
export const progress = (annotator) => get("progress", { annotator });
export const recent = (annotator) => get("recent", { annotator });
export const save = (annotator, labels) => post("labels", { annotator, labels });
export const read = (page, polygon, baseline) => post("read", { page, polygon, baseline });
/** The picture of a page. */
export const pagePicture = async (name) => (await call(`v1/queue/page?${new URLSearchParams({ page: name })}`)).blob();

/** Leave a line to others, while the page is being closed. */
export const release = (annotator, page, line) =>
  call("v1/queue/release", { ...json("POST", { annotator, page, line }), keepalive: true }).catch(() => {});

/** A picture of what an outline encloses. */
export const picture = async (page, polygon, baseline) =>
  (await call("v1/queue/picture", json("POST", { page, polygon, baseline }))).blob();
