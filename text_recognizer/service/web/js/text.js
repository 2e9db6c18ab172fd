// Pure functions on lines and words: which are doubtful, and what an edit makes of them.

export const DOUBTFUL = 0.75;
export const VERY_DOUBTFUL = 0.5;

/** The words of a text; control characters part them like spaces. */
export const tokens = (text) => text.split(/[\s\p{Cc}]+/u).filter(Boolean);

/** Whether a person should look at a word: it reads badly, and nobody has looked yet. */
export const isDoubtful = (word) => !word.state && word.confidence < DOUBTFUL;

/** Whether a person has corrected or accepted a word. */
export const isTouched = (word) => Boolean(word.state);

export const lineText = (line) => line.words.map((word) => word.text).join(" ");

/** The line of the server's answer as this page keeps it; a line without words gets one for all of its text. */
export function fromServer(line) {
  const words = line.words.length ? line.words : tokens(line.text).map((text) => ({ text, ...bare(line) }));
  return { ...line, words: words.map((word) => ({ ...word })) };
}

const bare = (line) => ({ confidence: line.confidence, polygon: line.polygon, character_confidences: [] });

/** The words of a line after its text was written anew: words that stayed keep their place on the page. */
export function rewritten(words, text) {
  const fresh = tokens(text);
  if (fresh.length === words.length) return words.map((word, i) => corrected(word, fresh[i]));
  const kept = commonWords(words.map((word) => word.text), fresh);
  const result = [];
  let from = 0;
  let start = 0;
  for (const [old, now] of [...kept, [words.length, fresh.length]]) {
    result.push(...replaced(words.slice(from, old), fresh.slice(start, now), words[old] ?? words[from - 1]));
    if (old < words.length) result.push(words[old]);
    from = old + 1;
    start = now + 1;
  }
  return result;
}

/** A word with another text; the same text accepts it. */
export function corrected(word, text) {
  return text === word.text ? word : { ...word, text, state: "corrected", confidence: 1, character_confidences: [] };
}

/** Words written anew in the place of others, the room shared by their lengths. */
function replaced(old, fresh, neighbour) {
  if (!fresh.length) return [];
  const polygon = old.length ? hull(old.flatMap((word) => word.polygon)) : neighbour?.polygon ?? [];
  const shares = split(polygon, fresh.map((text) => text.length));
  return fresh.map((text, i) => ({
    text, polygon: shares[i], confidence: 1, character_confidences: [], state: "corrected",
  }));
}

/** The upright box around points, as a polygon. */
export function hull(points) {
  const { left, top, right, bottom } = bounds(points);
  return [[left, top], [right, top], [right, bottom], [left, bottom]];
}

export function bounds(points) {
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}

function split(polygon, weights) {
  if (polygon.length < 3) return weights.map(() => polygon);
  const { left, top, right, bottom } = bounds(polygon);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let done = 0;
  return weights.map((weight) => {
    const a = left + ((right - left) * done) / total;
    done += weight;
    const b = left + ((right - left) * done) / total;
    return [[a, top], [b, top], [b, bottom], [a, bottom]];
  });
}

/** Pairs of indices of the longest common subsequence of two lists of words. */
function commonWords(a, b) {
  const lengths = Array.from({ length: a.length + 1 }, () => new Array(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
  const pairs = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if (lengths[i + 1][j] >= lengths[i][j + 1]) i++;
    else j++;
  }
  return pairs;
}

/** Whether a point lies in a polygon (even-odd rule). */
export function inside([x, y], polygon) {
  let odd = false;
  for (let i = 0, j = polygon.length - 1; i < polygon.length; j = i++) {
    const [xi, yi] = polygon[i];
    const [xj, yj] = polygon[j];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}
