"""IAM as its owners lay it out, and as this project does, of lines set in fonts."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image

#: Form -> (writer, lines), each line its tokens in IAM's way, or None where it holds a crossed-out word.
FORMS = {
    "a01-000u": ("000", ['" Stop ,', 'said the " M P "', "# crossed out", "( at last ) ."]),
    "b02-003": ("001", ["A move to", "nominate more", "Labour life peers"]),
    "c03-004": ("002", ["of the House", "of Lords ; and"]),
}
NATURAL = ['"Stop,', 'said the" M P "', "# crossed out", "(at last)."]
SPLITS = {"train": ["a01-000u"], "val": ["b02-003"], "test": ["c03-004"]}


@cache
def drawn_forms() -> dict[str, tuple[np.ndarray, list[tuple[int, int, int, int]], list[np.ndarray]]]:
    """Form -> its page uint8 (H, 1240), the boxes of its lines x, y, w, h, and their pictures."""
    from text_recognizer.learning.synthesis.lines import SyntheticLines

    generator = SyntheticLines(seed=8)
    forms = {}
    for number, (form, (_, lines)) in enumerate(FORMS.items()):
        page = np.full((900, 1240), 255, np.uint8)
        boxes, pictures = [], []
        for row in range(len(lines)):
            picture = generator[10 * number + row][0][:100, :900]
            x, y = 150, 200 + 130 * row
            page[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
            boxes.append((x, y, picture.shape[1], picture.shape[0]))
            pictures.append(picture)
        forms[form] = page, boxes, pictures
    return forms


def write_original(folder: Path, xml: bool, uttlists: bool = True) -> None:
    """The owners' layout: lines/, forms/, and xml/ or lines.txt with forms.txt; one of the two kinds of split lists."""
    rows = []
    for form, (page, boxes, pictures) in drawn_forms().items():
        writer, texts = FORMS[form]
        images = folder / "lines" / form[:3] / form
        images.mkdir(parents=True)
        (folder / "formsA-D").mkdir(exist_ok=True)
        Image.fromarray(page).save(folder / "formsA-D" / f"{form}.png")
        elements = []
        for number, (text, box, picture) in enumerate(zip(texts, boxes, pictures, strict=True)):
            name = f"{form}-{number:02d}"
            Image.fromarray(picture).save(images / f"{name}.png")
            flag = "err" if number == 1 else "ok"
            words = text.split(" ")
            rows.append(" ".join([name, flag, "154", str(len(words)), *map(str, box), "|".join(words)]))
            x, y, w, h = box
            attribute = quoteattr(text.replace('"', "&quot;"))  # escaped twice, as IAM does
            component = f'<word><cmp x="{x}" y="{y}" width="{w}" height="{h}"/></word>'
            elements.append(f'<line id="{name}" segmentation="{flag}" text={attribute}>{component}</line>')
        if xml:
            (folder / "xml").mkdir(exist_ok=True)
            content = f"<handwritten-part>{''.join(elements)}</handwritten-part>"
            (folder / "xml" / f"{form}.xml").write_text(
                '<?xml version="1.0"?><!DOCTYPE form SYSTEM "form.dtd">'
                f'<form id="{form}" writer-id="{writer}">{content}</form>'
            )
    if not xml:
        (folder / "lines.txt").write_text("#--- lines.txt\n" + "\n".join(rows) + "\n")
        writers = [f"{form} {writer} 2 prt 7 5 52 36" for form, (writer, _) in FORMS.items()]
        (folder / "forms.txt").write_text("# forms\n" + "\n".join(writers) + "\n")
    write_splits(folder, SPLITS, uttlists)


def write_splits(folder: Path, splits: dict[str, list[str]], uttlists: bool = True) -> None:
    """The Aachen lists of forms, or IAM's own lists of lines."""
    target = folder / "splits"
    target.mkdir(exist_ok=True)
    if uttlists:
        for split, name in (("train", "train"), ("val", "validation"), ("test", "test")):
            (target / f"{name}.uttlist").write_text("\n".join(splits[split]) + "\n")
        return
    lines = {split: [f"{form}-{n:02d}" for form in forms for n in range(9)] for split, forms in splits.items()}
    for name, part in (("trainset", "train"), ("validationset1", "val"), ("testset", "test")):
        (target / f"{name}.txt").write_text("\n".join(lines[part]) + "\n")
    (target / "validationset2.txt").write_text("")


def write_prepared(folder: Path) -> None:
    """This project's layout: lines.tsv, lines/, forms.json, forms/, without the crossed-out line."""
    for name in ("lines", "forms"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    forms = []
    with (folder / "lines.tsv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        table.writerow(["line_id", "split", "writer", "kind", "text"])
        for form, (page, boxes, pictures) in drawn_forms().items():
            split = next(split for split, names in SPLITS.items() if form in names)
            Image.fromarray(page).save(folder / "forms" / f"{form}.webp", lossless=True)
            lines = []
            for number, (box, picture) in enumerate(zip(boxes, pictures, strict=True)):
                if "#" in FORMS[form][1][number]:
                    continue
                name, text = f"{form}-{number:02d}", f"line {number} of {form}"
                Image.fromarray(picture).save(folder / "lines" / f"{name}.webp", lossless=True)
                table.writerow([name, split, FORMS[form][0], "gray", text])
                lines.append({"id": name, "box_xywh": box, "text": text})
            forms.append({"form": form, "split": split, "size": [1240, 900], "lines": lines})
    (folder / "forms.json").write_text(json.dumps(forms))
