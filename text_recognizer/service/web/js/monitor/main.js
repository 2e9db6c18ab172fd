// The page /monitor: asks the server for a window, and shows it.

import { call, onKeyNeeded } from "../api.js";
import { $, alertPerson, askKey, changeTheme, say } from "../ui.js";
import * as parts from "./parts.js";

const USUAL = ["confidence", "lines", "milliseconds"];
let end = null; // of the window; null: now
let asked = 0;

async function show() {
  const mine = (asked += 1);
  const query = new URLSearchParams({ hours: $("hours").value, ...(end && { end }) });
  try {
    const found = await (await call(`v1/monitor?${query}`)).json();
    if (mine !== asked) return; // another window was chosen meanwhile
    draw(found);
    showWaiting();
  } catch (error) {
    $("verdict-title").textContent = "Nothing to show";
    $("verdict-text").textContent = error.message;
    alertPerson(error.message);
  }
  document.body.dataset.ready = "";
}

function draw(found) {
  const [look, title, text, messages] = parts.verdict(found);
  $("verdict").className = `verdict ${look}`;
  $("verdict-title").textContent = title;
  $("verdict-text").textContent = text;
  $("messages").replaceChildren(...messages.filter(Boolean).map((message) => parts.made("li", "", message)));
  $("traffic").replaceChildren(...parts.trafficCards(found));
  $("expected").replaceChildren(...parts.expected(found.expected));
  const alerts = found.alerts.map((alert) => parts.alertItem(alert, showWindow));
  $("alert-list").replaceChildren(...(alerts.length ? alerts : [parts.made("li", "", "There was none.")]));
  $("features").replaceChildren(...found.features.map(parts.featureCard));
  const drifted = found.features.filter((feature) => feature.drifted).map((feature) => feature.name);
  const names = [...new Set([...drifted.slice(0, 4), ...USUAL])];
  $("readings").replaceChildren(...parts.readingTable(found.readings, names, openReading));
  $("readings-text").textContent = found.readings.length
    ? `The latest ${found.readings.length} of ${found.recorded}. Pages can be looked at where they were kept with consent.`
    : "None in this window.";
  say(`${title}. ${text}`);
}

/** How many lines wait to be reviewed, on the way there. */
async function showWaiting() {
  const answer = await call("v1/queue/progress?annotator=nobody").catch(() => null); // the counts of everybody are in it
  const waiting = (await answer?.json())?.progress.waiting;
  if (waiting !== undefined) $("to-review").textContent = `Review (${waiting.toLocaleString()})`;
}

function showWindow(alert) {
  end = alert.end;
  const hours = String(Math.round(100 * alert.hours) / 100);
  if (![...$("hours").options].some((option) => option.value === hours)) {
    $("hours").append(new Option(`${hours} hours`, hours));
  }
  $("hours").value = hours;
  $("again").querySelector("span").textContent = "Back to now";
  $("verdict").focus();
  show();
}

async function openReading(reading) {
  try {
    const found = await (await call(`v1/readings/${reading.id}`)).json();
    const page = found.pages[reading.page];
    $("reading-text").textContent = page.page.text;
    $("reading-image").hidden = !page.image;
    if (page.image) {
      const image = await (await call(`v1/readings/${reading.id}/pages/${reading.page}/image`)).blob();
      const url = URL.createObjectURL(image);
      $("reading-image").onload = () => URL.revokeObjectURL(url);
      $("reading-image").src = url;
    }
    $("reading-title").textContent = `Reading of ${parts.time(reading.created)}`;
    $("reading-dialog").showModal();
  } catch (error) {
    alertPerson(error.message);
  }
}

onKeyNeeded(askKey);
$("theme").addEventListener("click", changeTheme);
$("hours").addEventListener("change", show);
$("again").addEventListener("click", () => {
  end = null;
  $("again").querySelector("span").textContent = "Now";
  show();
});
show();
