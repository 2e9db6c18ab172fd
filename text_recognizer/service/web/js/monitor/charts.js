// Small pictures of distributions as SVG, without a library. What they show is said in words beside them.

const NAMESPACE = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, FOOT] = [240, 92, 16];

function element(name, attributes, text) {
  const made = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function sheet(label) {
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", preserveAspectRatio: "xMinYMid meet", role: "img", "aria-label": label });
  svg.append(element("line", { x1: 0, x2: WIDTH, y1: HEIGHT - FOOT, y2: HEIGHT - FOOT, class: "axis" }));
  return svg;
}

function foot(svg, left, right) {
  svg.append(element("text", { x: 0, y: HEIGHT - 3 }, left));
  svg.append(element("text", { x: WIDTH, y: HEIGHT - 3, "text-anchor": "end" }, right));
}

/** Shares in equal bins: the reference as bars, the window as a line of steps. */
export function distribution(then, now, low, high, label) {
  const svg = sheet(label);
  const most = Math.max(...then, ...now, 1e-9);
  const room = HEIGHT - FOOT - 4;
  const wide = WIDTH / Math.max(then.length, now.length, 1);
  const top = (share) => HEIGHT - FOOT - (share / most) * room;
  then.forEach((share, number) => {
    if (share) svg.append(element("rect", { x: number * wide, y: top(share), width: wide, height: (share / most) * room, class: "then" }));
  });
  if (now.some(Boolean)) {
    const steps = now.map((share, number) => `V${top(share).toFixed(1)}H${((number + 1) * wide).toFixed(1)}`).join("");
    svg.append(element("path", { d: `M0 ${HEIGHT - FOOT}${steps}V${HEIGHT - FOOT}`, class: "now" }));
  }
  foot(svg, low, high);
  return svg;
}

/** Shares of kinds: for each a bar then and one now. */
export function kinds(names, then, now, label) {
  const svg = sheet(label);
  const wide = WIDTH / Math.max(1, names.length);
  const room = HEIGHT - FOOT - 4;
  names.forEach((name, number) => {
    [[then, "then"], [now, "kind"]].forEach(([shares, look], side) => {
      const height = shares[number] * room;
      const x = number * wide + wide * (0.15 + 0.35 * side);
      svg.append(element("rect", { x, y: HEIGHT - FOOT - height, width: wide * 0.32, height, class: look }));
    });
    svg.append(element("text", { x: (number + 0.5) * wide, y: HEIGHT - 3, "text-anchor": "middle" }, name));
  });
  return svg;
}

/** One value for each part of the window, the oldest at the left; null leaves a gap. */
export function bars(values, left, right, label) {
  const svg = sheet(label);
  const most = Math.max(...values.map((value) => value ?? 0), 1e-9);
  const wide = WIDTH / Math.max(1, values.length);
  values.forEach((value, number) => {
    if (!value) return;
    const height = (value / most) * (HEIGHT - FOOT - 4);
    svg.append(element("rect", { x: number * wide + 0.75, y: HEIGHT - FOOT - height, width: wide - 1.5, height, class: "bar-one" }));
  });
  foot(svg, left, right);
  return svg;
}
