"""Documents that tests read: PDF files, stacks and pictures, small enough to be read in an instant."""

from __future__ import annotations

from pathlib import Path

from PIL import Image


def blank(path: Path, size: tuple[int, int] = (60, 40)) -> Path:
    """A picture without writing; its folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, 255).save(path)
    return path


def blank_pages(path: Path, count: int, size: tuple[int, int] = (60, 40)) -> Path:
    """A PDF or TIFF of blank pages."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pages = [Image.new("1", size, 1)] * count
    pages[0].save(path, save_all=True, append_images=pages[1:])
    return path


def pdf(path: Path, pages: list[str]) -> Path:
    """A PDF with a page for each of `pages`: "blank", "text", which has the word Watson in it, or "broken"."""
    kids = " ".join(f"{10 + 2 * number} 0 R" for number in range(len(pages)))
    objects = {1: "<</Type/Catalog/Pages 2 0 R>>", 2: f"<</Type/Pages/Count {len(pages)}/Kids[{kids}]>>"}
    objects[3] = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    for number, kind in enumerate(pages):
        size = "1 1" if kind == "broken" else "90 60"  # of less than a pixel
        words = "BT /F 12 Tf 10 20 Td (Watson) Tj ET" if kind == "text" else ""
        what = f"/MediaBox[0 0 {size}]/Contents {11 + 2 * number} 0 R/Resources<</Font<</F 3 0 R>>>>"
        objects[10 + 2 * number] = f"<</Type/Page/Parent 2 0 R{what}>>"
        objects[11 + 2 * number] = f"<</Length {len(words)}>>stream\n{words}\nendstream"
    data, places = "%PDF-1.4\n", {}
    for key, value in objects.items():
        places[key] = len(data)
        data += f"{key} 0 obj{value}endobj\n"
    table = "".join(f"{key} 1\n{place:010} 00000 n \n" for key, place in sorted(places.items()))
    size = max(objects) + 1
    data += (
        f"xref\n0 1\n0000000000 65535 f \n{table}trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{len(data)}\n%%EOF\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode("latin-1"))
    return path
