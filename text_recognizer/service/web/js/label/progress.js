// How far everybody has come, in the head of the page and in a dialog.

import { $ } from "../ui.js";
import * as api from "./api.js";

const percent = (share) => `${(100 * share).toFixed(1)} %`;

/** The counts in the head. reading: how far the model is; it may be missing. */
export function showCounts(progress, reading) {
  $("done").max = Math.max(1, progress.lines);
  $("done").value = progress.done;
  const parts = [`${progress.done} of ${progress.lines} lines done`];
  if (progress.second) parts.push(`${progress.second} wait for a second annotator`);
  if (progress.disputed) parts.push(`${progress.disputed} disputed`);
  parts.push(`${progress.own} by you`);
  $("counts").textContent = parts.join(" · ");
  if (!reading) return;
  const left = reading.pages - reading.read - reading.failed.length;
  const notes = left ? [`the model reads: ${reading.read} of ${reading.pages} pages`] : [];
  if (reading.failed.length) notes.push(`${reading.failed.length} cannot be read`);
  $("reading").textContent = notes.join(" · ");
  $("reading").title = reading.failed.join("\n");
}

/** Why there is no line: a title and a sentence. chosen: the page whose lines are wanted, "" for all. */
export function whyNone({ others, reading, page }, chosen, { kind, outlines }) {
  if (page?.state === "failed") return ["This page cannot be read", page.error];
  if (page && page.state !== "read") return ["One moment", "The model reads this page next."];
  const left = reading.pages - reading.read - reading.failed.length;
  if (!chosen && left) return ["One moment", `The model reads the pages: ${reading.read} of ${reading.pages}.`];
  if (others) return ["Nearly done", "The last lines are in other people's hands at the moment."];
  const drawn = outlines ? " A line that is missing can be drawn." : "";
  if (chosen) return ["All done", `There is no line left for you on this page.${drawn}`];
  if (kind !== "review") return ["All done", "There is no line left for you."];
  return ["All done", "No line waits to be reviewed: of all readings that were kept with consent, those are shown that the recogniser doubts, and pages unlike the usual ones. New ones appear here by themselves."];
}

/** Open the dialog. go(page, line): a disputed line was chosen. kind: of the queue. */
export async function showProgress(annotator, go, kind) {
  const { progress, reading, agreement } = await api.progress(annotator);
  showCounts(progress, reading);
  $("progress-table").replaceChildren(
    table(["Lines", ""], [
      ["done", progress.done],
      ["waiting", progress.waiting],
      ...(kind === "review" ? [] : [["waiting for a second annotator", progress.second], ["disputed", progress.disputed]]),
      ...progress.by.map(({ annotator: who, lines }) => [`by ${who}`, lines]),
    ]),
    ...reading.failed.map((message) => paragraph(message, "alert")),
  );
  if (kind !== "review") $("agreement").replaceChildren(...pairs(agreement), ...disputed(agreement, go));
  $("progress-dialog").showModal();
}

function pairs(agreement) {
  if (!agreement.pairs.length) return [paragraph("No line was labelled by two people yet.")];
  const rows = agreement.pairs.map(({ annotators, lines, exact, exact_share, cer, verdicts }) => [
    annotators.join(" and "), lines, `${exact} (${percent(exact_share)})`, percent(cer), verdicts,
  ]);
  return [table(["", "Lines", "Same text", "CER", "Only one could read"], rows)];
}

function disputed(agreement, go) {
  if (!agreement.disputed.length) return [];
  const list = document.createElement("ul");
  list.className = "disputed";
  for (const { page, line, said } of agreement.disputed) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.textContent = `${page}, ${line}`;
    button.addEventListener("click", () => {
      $("progress-dialog").close();
      go(page, line);
    });
    const texts = said.map(({ annotator, status, text }) => `${annotator}: ${status === "labeled" ? text : status}`);
    item.append(button, ` ${texts.join(" | ")}`);
    list.append(item);
  }
  return [paragraph("Disputed lines:"), list];
}

function paragraph(text, name = "") {
  const element = document.createElement("p");
  element.textContent = text;
  element.className = name;
  return element;
}

function table(head, rows) {
  const element = document.createElement("table");
  const cells = (row, name) => {
    const line = document.createElement("tr");
    line.append(...row.map((cell, number) => {
      const box = document.createElement(number && name === "th" ? "th" : number ? "td" : "th");
      box.textContent = cell;
      if (name === "th") box.scope = "col";
      else if (!number) box.scope = "row";
      return box;
    }));
    return line;
  };
  const [top, body] = [document.createElement("thead"), document.createElement("tbody")];
  if (head.some(Boolean)) top.append(cells(head, "th"));
  body.append(...rows.map((row) => cells(row, "td")));
  element.append(top, body);
  return element;
}
