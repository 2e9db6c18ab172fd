"""One text recogniser in a process of its own, for benchmarks/peers/peers.py: paths in, texts and seconds out.

    python -m benchmarks.peers.peer_readers NAME --unit line|page --language eng|fra < paths

Runs with the Python of the recogniser's own environment, so nothing but the standard library is imported here before
the recogniser is. The first line that is written says what it is and how long importing and loading took; then follows
a line of JSON for each path, and after the last one the peak of memory. Every recogniser gets two threads on two cores,
is asked for one image at a time, and opens the file itself.
"""

from __future__ import annotations

import argparse
import ctypes
import ctypes.util
import importlib.metadata
import json
import logging
import os
import re
import resource
import sys
import time
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

THREADS = 2
#: A line of text and its outline, in pixels of the image.
FoundLine = tuple[str, list[list[float]]]
#: What reads the image at a path.
Reader = Callable[[str], list[FoundLine]]
_TESSERACT_LINE, _TESSERACT_WORD = "4", "5"  # levels of its TSV


def ours(unit: str, language_model: str | None) -> tuple[str, Reader]:
    """Text Recognizer itself."""
    from text_recognizer import TextRecognizer, __version__

    recognizer = TextRecognizer(threads=THREADS, language=language_model)

    def read(path: str) -> list[FoundLine]:
        lines = recognizer.read_lines([path]) if unit == "line" else recognizer.read(path).lines
        return [(line.text, [list(point) for point in line.polygon]) for line in lines]

    how = "language model" if language_model else "greedy"
    return f"Text Recognizer {__version__}, {how}", read


def tesseract(unit: str, language: str) -> tuple[str, Reader]:
    """Tesseract, by its C interface: its program would load the model again for every image."""
    library = ctypes.CDLL(ctypes.util.find_library("tesseract") or "libtesseract.so.5")
    leptonica = ctypes.CDLL(ctypes.util.find_library("lept") or "liblept.so.5")
    library.TessVersion.restype = ctypes.c_char_p
    for function in (library.TessBaseAPICreate, library.TessBaseAPIGetTsvText, leptonica.pixRead):
        function.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(library.TessBaseAPICreate())
    if library.TessBaseAPIInit3(handle, None, language.encode()):
        raise RuntimeError(f"Tesseract has no language {language}; Debian: tesseract-ocr-{language}")
    library.TessBaseAPISetPageSegMode(handle, 7 if unit == "line" else 3)  # a single line; fully automatic

    def read(path: str) -> list[FoundLine]:
        picture = ctypes.c_void_p(leptonica.pixRead(path.encode()))
        library.TessBaseAPISetImage2(handle, picture)
        found = ctypes.c_void_p(library.TessBaseAPIGetTsvText(handle, 0))
        rows = (ctypes.string_at(found) if found.value else b"").decode()
        library.TessDeleteText(found)
        leptonica.pixDestroy(ctypes.byref(picture))
        return tsv_lines(rows)

    return f"Tesseract {library.TessVersion().decode()}", read


def tsv_lines(rows: str) -> list[FoundLine]:
    """The lines of Tesseract's TSV: level, page, block, paragraph, line, word, left, top, width, height, _, text."""
    lines: list[tuple[list[str], list[list[float]]]] = []
    for cells in (row.split("\t") for row in rows.splitlines()):
        if cells[0] == _TESSERACT_LINE:
            left, top, width, height = (float(cell) for cell in cells[6:10])
            lines.append(([], box(left, top, left + width, top + height)))
        elif cells[0] == _TESSERACT_WORD and lines:
            lines[-1][0].append(cells[11])
    return [(" ".join(words), polygon) for words, polygon in lines]


def rapidocr(unit: str) -> tuple[str, Reader]:
    """RapidOCR with the models in its wheel."""
    from rapidocr import RapidOCR  # type: ignore[import-not-found]

    # What is read with little confidence would be dropped: of handwriting that is a lot, and it counts as an error.
    # A line is neither searched for text nor turned around.
    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": 0.0,
            "Global.use_det": unit == "page",
            "Global.use_cls": unit == "page",
            "EngineConfig.onnxruntime.intra_op_num_threads": THREADS,
        }
    )

    def read(path: str) -> list[FoundLine]:
        result = engine(path)
        texts = [str(text) for text in result.txts or ()]
        if unit == "line":
            return [(text, []) for text in texts]
        polygons = [] if result.boxes is None else result.boxes.tolist()
        return list(zip(texts, polygons, strict=True))

    return f"RapidOCR {importlib.metadata.version('rapidocr')}", read


def easyocr(unit: str) -> tuple[str, Reader]:
    """EasyOCR with its English weights, from a package that holds them; EasyOCR checks their MD5 sums."""
    skip_torchvision_shapes()
    import cv2
    import torch
    from easyocr import Reader as EasyReader  # type: ignore[import-not-found]
    from easyocr_en_models import model_dir  # type: ignore[import-not-found]

    torch.set_num_threads(THREADS)
    reader = EasyReader(
        ["en"], gpu=False, model_storage_directory=model_dir(), download_enabled=False, detector=unit == "page"
    )

    def read(path: str) -> list[FoundLine]:
        if unit == "page":
            return [
                (text, [list(map(float, point)) for point in polygon]) for polygon, text, _ in reader.readtext(path)
            ]
        image: Any = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
        height, width = image.shape
        found = reader.recognize(image, horizontal_list=[[0, width, 0, height]], free_list=[])
        return [(text, []) for _, text, _ in found]

    return f"EasyOCR {importlib.metadata.version('easyocr')}", read


def skip_torchvision_shapes() -> None:
    """Let torchvision be imported where its operators do not fit PyTorch, as with some builds for the CPU.

    Its import would fail over the shapes of operators that no recogniser here calls.
    """
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")


def kraken(unit: str) -> tuple[str, Reader]:
    """kraken's default segmentation: it finds lines; no weights that read come with it."""
    if unit != "page":
        raise RuntimeError("kraken comes without a model that reads lines")
    skip_torchvision_shapes()
    import torch
    from kraken import blla  # type: ignore[import-not-found]
    from PIL import Image

    torch.set_num_threads(THREADS)

    def read(path: str) -> list[FoundLine]:
        with Image.open(path) as image:
            found = blla.segment(image.convert("RGB"))
        return [("", [list(map(float, point)) for point in line.boundary]) for line in found.lines if line.boundary]

    return f"kraken {importlib.metadata.version('kraken')}, segmentation", read


def box(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    """The corners of an upright rectangle."""
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def peak_megabytes() -> float:
    """The most memory that this process held.

    Where there is /proc, its VmHWM: ru_maxrss of a new process can be that of the process which started it.
    """
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    except OSError:
        found = None
    if found:
        return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def opened(name: str, unit: str, language: str) -> tuple[str, Reader]:
    """What a recogniser calls itself, and its reader of lines or pages."""
    if name == "tesseract":
        return tesseract(unit, language)
    if name.startswith("ours"):
        return ours(unit, "language" if name == "ours" else None)
    return {"rapidocr": rapidocr, "easyocr": easyocr, "kraken": kraken}[name](unit)


def main() -> None:
    """Answer path after path."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name")
    parser.add_argument("--unit", choices=("line", "page"), required=True)
    parser.add_argument("--language", default="eng")
    options = parser.parse_args()
    # Recognisers print what they like; only what is meant for benchmarks/peers/peers.py goes to the real output.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    start = time.perf_counter()
    title, read = opened(options.name, options.unit, options.language)
    answer({"title": title, "load": time.perf_counter() - start})
    for path in sys.stdin:
        start, spent = time.perf_counter(), time.process_time()
        lines = read(path.rstrip("\n"))
        seconds, processor = time.perf_counter() - start, time.process_time() - spent
        answer({"seconds": seconds, "processor": processor, "lines": lines})
    answer({"peak": peak_megabytes()})


if __name__ == "__main__":
    main()
