// The commands of the page: their keys, their buttons, their lines in the help.

const MAC = /^(Mac|iP)/.test(navigator.platform);
// Alt and a letter writes a character on a Mac, so that there it is Control.
const MODIFIER = MAC ? "Control" : "Alt";

const held = (event) =>
  !event.metaKey && !event.getModifierState("AltGraph") && (MAC ? event.ctrlKey && !event.altKey : event.altKey && !event.ctrlKey);

/** name, key (with the modifier, but for long names of keys), label on the button (none: only a key), explanation. */
const COMMANDS = [
  ["illegible", "i", "Illegible", "there is a line, but nobody can read it"],
  ["no-line", "n", "No line", "the model found a line where none is"],
  ["skip", "s", "Pass on", "somebody else may do this line"],
  ["back", "PageUp", "Back", "the line before, to change what was said of it"],
  ["forward", "PageDown", "Next", "the next line, without saying anything of this one"],
  ["box", "b", "Box", "change the box of the line with the arrow keys"],
  ["add", "l", "Missing line", "draw a line that the model did not find"],
  ["read", "r", "Read again", "have the model read what is in the box now"],
  ["model", "m", "Model's text", "put back what the model read"],
  ["zoom-in", "+", "", "zoom in on the page"],
  ["zoom-out", "-", "", "zoom out"],
  ["fit", "0", "", "the whole page"],
  ["help", "F1", "", "this list"],
];

const OF_OUTLINES = ["box", "add", "read"]; // where the lines are as they were found, there is nothing to them

/** The commands that there are. outlines: whether lines can be drawn, changed and read again. */
export const commandsOf = ({ outlines }) => COMMANDS.filter(([name]) => outlines || !OF_OUTLINES.includes(name));

const isLong = (key) => key.length > 1;
const shown = (key) => (isLong(key) ? [key] : [MODIFIER, key.toUpperCase()]);

/** Of some commands the one that a key stands for; null for none. A number gives ["take", number]. */
export function commandOf(event, commands) {
  const plain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey;
  const pressed = event.key === "=" ? "+" : event.key.toLowerCase();
  for (const [name, key] of commands) {
    if (isLong(key) ? plain && event.key === key : held(event) && pressed === key) return [name];
  }
  if (held(event) && /^[1-9]$/.test(event.key)) return ["take", Number(event.key) - 1];
  return null;
}

/** Buttons for the commands. run(name) performs one. */
export function buttons(run, commands) {
  return commands.filter(([, , label]) => label).map(([name, key, label, explanation]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    button.id = `command-${name}`;
    button.title = explanation;
    button.setAttribute("aria-keyshortcuts", shown(key).join("+"));
    button.append(label, " ", keys(key));
    button.addEventListener("click", () => run(name));
    return button;
  });
}

function keys(key) {
  const element = document.createElement("kbd");
  element.setAttribute("aria-hidden", "true");
  element.textContent = shown(key).join(" ");
  return element;
}

/** The rows of the help. */
export function help(commands, disputes) {
  const rows = [["Enter"], "the text is right; on to the next line"];
  const more = disputes ? [[[MODIFIER, "1"], "the text of the first annotator of a disputed line; 2, 3 of the others"]] : [];
  return [rows, ...commands.map(([, key, , explanation]) => [shown(key), explanation]), ...more].map(([names, meaning]) => {
    const row = document.createElement("div");
    const term = document.createElement("dt");
    term.append(...names.flatMap((name) => [Object.assign(document.createElement("kbd"), { textContent: name }), " "]));
    row.append(term, Object.assign(document.createElement("dd"), { textContent: meaning }));
    return row;
  });
}
