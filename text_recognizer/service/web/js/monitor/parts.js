// Parts of the page, made from what the server says.

import { bars, distribution, kinds } from "./charts.js";

export function made(name, className = "", ...children) {
  const found = document.createElement(name);
  if (className) found.className = className;
  found.append(...children);
  return found;
}

export const time = (iso) =>
  new Date(iso).toLocaleString(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });

export function number(value) {
  if (value === null || value === undefined) return "none";
  if (typeof value === "string") return value;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString();
  return size < 0.001 ? value.toExponential(0) : String(Number(value.toPrecision(3)));
}

const percent = (value) => (value === null ? "unknown" : `${(100 * value).toFixed(1)} %`);
const plural = (count, one) => `${count.toLocaleString()} ${one}${count === 1 ? "" : "s"}`;

/** The sentence at the top: [class, title, text, messages]. */
export function verdict({ report, problem, recorded, start, end }) {
  const when = `${time(start)} to ${time(end)}`;
  const read = `${plural(recorded, "page")} recorded`;
  if (!report) return ["", "No verdict", `${read}, ${when}.`, [problem]];
  const left = Object.entries(report.left_out).map(([reason, count]) => `left out ${count}: ${reason}`);
  const messages = [...report.messages, ...left];
  const text = `${read}, ${plural(report.readings, "reading")} compared with ${report.reference}, ${when}.`;
  if (report.drift === null) return ["", "No verdict", text, messages];
  if (!report.drift) return ["calm", "No drift", text, messages];
  return ["drift", `Drift: ${report.drifted.join(", ")}`, text, messages];
}

function card(title, chart, what, values, badge) {
  const head = made("h3", "", title);
  if (badge) head.append(made("span", "badge", badge));
  const found = made("div", badge ? "card drifted" : "card", head, made("p", "what", what), chart);
  for (const value of values) found.append(made("p", "values", value));
  return found;
}

export function featureCard(feature) {
  const [then, now] = feature.usual.map(number);
  const label = `${feature.name}: usually ${then}, in this window ${now}`;
  const chart = feature.kinds
    ? kinds(feature.kinds, feature.then, feature.now, label)
    : distribution(feature.then, feature.now, number(feature.low), number(feature.high), label);
  const tested = feature.index === null ? "not compared" : `PSI ${feature.index.toFixed(2)}, p ${number(feature.p_value)}`;
  const values = [`usually ${then}, now ${now}`, `${tested}, ${plural(feature.values, "value")}`];
  return card(feature.name.replace(/_/g, " "), chart, feature.what, values, feature.drifted ? "drift" : "");
}

export function trafficCards({ traffic, start, end }) {
  const edges = [time(start), time(end)];
  const sum = (name) => traffic.reduce((total, part) => total + part[name], 0);
  const slowest = Math.max(0, ...traffic.map((part) => part.slow ?? 0));
  const usual = traffic.map((part) => part.median).filter((value) => value !== null);
  const middle = usual.length ? usual.sort((a, b) => a - b)[Math.floor(usual.length / 2)] : null;
  const one = (title, name, what, value) =>
    card(title, bars(traffic.map((part) => part[name]), ...edges, `${title}: ${value}`), what, [value]);
  return [
    one("Pages read", "readings", "in equal parts of the window", `${sum("readings").toLocaleString()} in all`),
    one("Time to read", "slow", "95th percentile of each part", `median ${number(middle)} ms, at most ${number(slowest)} ms`),
    one("Corrections", "corrections", "lines corrected or confirmed", `${sum("corrections").toLocaleString()} in all`),
  ];
}

export function expected(found) {
  const whole = found.doubt === null
    ? "Nothing was read in this window."
    : `Of all that was read (${plural(found.readings, "page")}, ${plural(found.characters, "character")}), ` +
      `${percent(found.doubt)} is expected to stand in words that are wrong.`;
  const parts = [made("p", "", whole)];
  if (found.lines) {
    const rows = [
      ["characters in words expected to be wrong", percent(found.corrected_doubt)],
      ["character error rate, expected", percent(found.expected)],
      ["character error rate, real", percent(found.real)],
    ];
    const body = made("tbody", "", ...rows.map(([name, value]) => made("tr", "", header(name, "row"), cell(value, true))));
    const what = `${plural(found.lines, "line")} that people corrected or confirmed (${plural(found.corrected_characters, "character")}): `;
    parts.push(made("p", "", `${what}mostly those that looked wrong.`), made("table", "", body));
  } else {
    parts.push(made("p", "what", "No line of this window was corrected or confirmed, so that the estimate stands alone."));
  }
  return parts;
}

export function alertItem(alert, show) {
  const button = made("button", "link", "its window");
  button.type = "button";
  button.setAttribute("aria-label", `Show the window of the alert of ${time(alert.created)}`);
  button.addEventListener("click", () => show(alert));
  const head = made("p", "head", `Drift ${alert.kind}, ${time(alert.created)} `, button);
  const sent = alert.sent.map((one) => {
    const tries = one.state === "sent" && one.attempts === 1 ? "" : `, ${plural(one.attempts, "attempt")}`;
    return made("li", "", made("span", `badge ${one.state}`, one.state), `${one.to}${tries}${one.error ? `: ${one.error}` : ""}`);
  });
  if (!sent.length) sent.push(made("li", "", "sent to nobody: no receiver is set, or its turn has not come"));
  return made("li", "", head, made("p", "", alert.text ?? ""), made("ul", "", ...sent));
}

function header(text, scope, numeric = false) {
  const found = made("th", numeric ? "number" : "", text);
  found.scope = scope;
  return found;
}

const cell = (content, numeric = false) => made("td", numeric ? "number" : "", content);

/** The table of readings. names: of the features to show; open(reading) shows one that was kept with consent. */
export function readingTable(readings, names, open) {
  const shown = names.map((name) => header(name.replace(/_/g, " "), "col", true));
  const columns = [header("time", "col"), ...shown, header("models", "col"), header("kept", "col")];
  const rows = readings.map((reading) => {
    let kept = "no";
    if (reading.id) {
      kept = made("button", "link", "look at it");
      kept.type = "button";
      kept.setAttribute("aria-label", `Look at the reading of ${time(reading.created)}`);
      kept.addEventListener("click", () => open(reading));
    }
    const values = names.map((name) => cell(number(reading.features[name]), true));
    return made("tr", "", cell(time(reading.created)), ...values, cell(Object.values(reading.models).join(", ")), cell(kept));
  });
  return [made("thead", "", made("tr", "", ...columns)), made("tbody", "", ...rows)];
}
