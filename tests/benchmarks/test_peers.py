"""benchmarks/peers/peers.py: what needs neither data nor another recogniser."""

from __future__ import annotations

import pytest

pytest.importorskip("rapidfuzz", reason="benchmarks need the packages for training")

from benchmarks.peers import peer_readers, peer_tables, peers


def _system(title: str, median: float, **rates: float | None) -> dict[str, object]:
    return {"title": title, "median": median, "mean": median, "processor": median, "load": 1.0, "peak": 50.0} | rates


RESULT = {
    "machine": "a machine",
    "sets": [
        {
            "name": "IAM val lines",
            "unit": "line",
            "count": 2,
            "systems": {
                "ours": _system("Text Recognizer", 50, cer=4.0, wer=12.0),
                "tesseract": _system("Tesseract", 100, cer=40.0, wer=80.0),
            },
        },
        {
            "name": "Copiste val pages",
            "unit": "page",
            "count": 1,
            "systems": {"kraken": _system("kraken, segmentation", 900, cer=None, found=90.0)},
        },
    ],
    "skipped": {"easyocr": "not prepared"},
}


def test_a_subset_is_spread_evenly():
    assert peers.spread(10, 3) == [0, 3, 6]
    assert peers.spread(2, 5) == peers.spread(2, 0) == [0, 1]


def test_tables_compare_with_tesseract_and_name_who_was_skipped():
    text = peer_tables.tables(RESULT)
    assert text.startswith("a machine\n")
    assert "| Text Recognizer | 4.0 | 12.0 | 50 | 50 | 0.50 |" in text
    assert "| kraken, segmentation | - | 90.0 | 900 | 900 | - |" in text
    assert "Skipped: easyocr: not prepared" in text


def test_tesseract_tsv_becomes_lines():
    rows = "1\t1\t0\t0\t0\t0\t0\t0\t90\t40\t-1\t\n4\t1\t1\t1\t1\t0\t5\t6\t80\t20\t-1\t\n"
    rows += "5\t1\t1\t1\t1\t1\t5\t6\t30\t20\t96\tTwo\n5\t1\t1\t1\t1\t2\t40\t6\t45\t20\t91\twords\n"
    assert peer_readers.tsv_lines(rows) == [("Two words", [[5, 6], [85, 6], [85, 26], [5, 26]])]


def test_a_peer_that_is_not_prepared_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXT_RECOGNIZER_CACHE", str(tmp_path))
    assert "--prepare --only rapidocr" in peers.missing("rapidocr")
    result = peers.measure_all(["rapidocr"], lines=1, number_of_pages=1)
    assert list(result["skipped"]) == ["rapidocr"]
    assert result["sets"] == []


def test_a_reader_that_fails_says_why(monkeypatch):
    monkeypatch.setitem(peers.PACKAGES, "nobody", ())
    with pytest.raises(RuntimeError, match="nobody"):
        peers.Reading("nobody", "line", "eng")
