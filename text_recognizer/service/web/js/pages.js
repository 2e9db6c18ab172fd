// The strip of pages: a small picture of each, with its state.

const blobs = new WeakMap();

/** An address for a blob, the same one each time. */
function address(blob) {
  if (!blobs.has(blob)) blobs.set(blob, URL.createObjectURL(blob));
  return blobs.get(blob);
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
    const items = documents.flatMap((document) => this.items(document, current, number));
    this.element.replaceChildren(...items);
    this.element.parentElement.hidden = items.length < 2 && documents[0]?.status !== "failed";
    this.element.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  items(document, current, number) {
    if (!document.pages.length) return [this.waiting(document, document === current)];
    return document.pages.map((_, index) => this.item(document, index, document === current && index === number));
  }

  item(document, index, selected) {
    const item = window.document.createElement("li");
    const button = window.document.createElement("button");
    button.type = "button";
    const several = document.pages.length > 1;
    button.setAttribute("aria-label", several ? `${document.name}, page ${index + 1}` : document.name);
    if (selected) button.setAttribute("aria-current", "page");
    const image = new Image();
    image.src = this.picture(document, index);
    image.alt = "";
    image.loading = "lazy";
    const caption = window.document.createElement("span");
    caption.textContent = several ? String(index + 1) : document.name;
    button.append(image, caption);
    button.addEventListener("click", () => this.on.select(document, index));
    item.append(button);
    return item;
  }

  /** A document that is not read yet, or could not be. */
  waiting(document, selected) {
    const item = window.document.createElement("li");
    item.className = `state-${document.status}`;
    const button = window.document.createElement("button");
    button.type = "button";
    button.textContent = document.name;
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
