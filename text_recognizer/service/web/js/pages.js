// The strip of pages: a small picture of each, with its state.

const addresses = new Map();

/** An address for a blob, the same one each time. */
function address(blob) {
  if (!addresses.has(blob)) addresses.set(blob, URL.createObjectURL(blob));
  return addresses.get(blob);
}

/** Let go of the addresses of blobs that no document has any more: an address keeps its blob in memory. */
function tidy(documents) {
  const used = new Set(documents.flatMap((d) => [d.file, ...d.pages.map((page) => page.picture)]));
  for (const [blob, url] of addresses) {
    if (used.has(blob)) continue;
    URL.revokeObjectURL(url);
    addresses.delete(blob);
  }
}

export class PageList {
  constructor(element, on) {
    this.element = element;
    this.on = on;
    this.shown = "";
  }

  /** The address of a page's picture. */
  picture(document, number) {
    return address(document.pages[number]?.picture ?? document.file);
  }

  show(documents, current, number) {
    const signature = JSON.stringify([
      documents.map((d) => [d.key, d.status, d.pages.length, d.error]), current?.key, number,
    ]);
    if (signature === this.shown) return; // so that the keyboard's place is not lost
    this.shown = signature;
    tidy(documents);
    const focused = this.element.contains(window.document.activeElement);
    const items = documents.flatMap((document) => this.items(document, current, number));
    this.element.replaceChildren(...items);
    this.element.parentElement.hidden = items.length < 2 && !documents[0]?.error;
    if (focused) this.element.querySelector("[aria-current]")?.focus();
    this.element.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  items(document, current, number) {
    if (!document.pages.length) return [this.waiting(document, document === current)];
    const pages = document.pages.map((_, index) => this.item(document, index, document === current && index === number));
    return document.status === "failed" ? [...pages, this.waiting(document, false)] : pages;
  }

  item(document, index, selected) {
    const item = window.document.createElement("li");
    const button = window.document.createElement("button");
    button.type = "button";
    const several = document.pages.length > 1;
    button.setAttribute("aria-label", several ? `${document.name}, page ${index + 1}` : document.name);
    if (selected) button.setAttribute("aria-current", "page");
    const caption = window.document.createElement("span");
    caption.textContent = several ? String(index + 1) : document.name;
    if (document.pages[index].error) caption.textContent += ": not read";
    else button.append(this.thumbnail(document, index));
    button.append(caption);
    button.addEventListener("click", () => this.on.select(document, index));
    item.append(button);
    return item;
  }

  thumbnail(document, index) {
    const image = new Image();
    image.src = this.picture(document, index);
    image.alt = "";
    image.loading = "lazy";
    return image;
  }

  /** A document that is not read yet, or could not be read to its end. */
  waiting(document, selected) {
    const item = window.document.createElement("li");
    item.className = `state-${document.status}`;
    const button = window.document.createElement("button");
    button.type = "button";
    const said = { waiting: "waiting", reading: "being read", failed: "not read to its end" }[document.status];
    button.textContent = document.name;
    button.setAttribute("aria-label", `${document.name}, ${said}`);
    if (selected) button.setAttribute("aria-current", "page");
    button.addEventListener("click", () => this.on.select(document, 0));
    item.append(button);
    if (document.status === "failed") {
      item.append(this.small("Try again", () => this.on.retry(document)));
      item.append(this.small("Remove", () => this.on.remove(document)));
    }
    return item;
  }

  small(text, action) {
    const button = window.document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.textContent = text;
    button.addEventListener("click", action);
    return button;
  }
}
