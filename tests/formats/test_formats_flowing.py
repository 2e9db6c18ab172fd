import pytest

from text_recognizer import Line, Page, Region
from text_recognizer.formats.text import join_lines, paragraphs


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["the affair of the miss-", "ing documents"], "the affair of the missing documents"),
        (["une let=", "tre d'a¬", "mour, tou‐", "jours"], "une lettre d'amour, toujours"),
        (["l'été der-", "nier à l'é-", "cole"], "l'été dernier à l'école"),
        (["œu-", "vre"], "œuvre"),
        (["Saint-", "Denis, Marie-", "Anne"], "Saint-Denis, Marie-Anne"),
        (["from 1914-", "1918 -", "and after"], "from 1914-1918 - and after"),
        (["he said -", "nothing"], "he said - nothing"),
        (["a + b =", "c"], "a + b = c"),
        (["-", "a"], "- a"),
        (["ANTI¬", "Corps", "1914-", "ou"], "ANTI¬ Corps 1914-ou"),
        (["peut-", "être"], "peutêtre"),  # the rule cannot know better, and says so
        (["well-known,", "a long-", "standing custom"], "well-known, a longstanding custom"),
        (["  two   spaces ", "", "\tand a tab"], "two spaces and a tab"),
        (["end of a word-   ", "  part"], "end of a wordpart"),
        (["cut-", "", "off"], "cutoff"),
        ([], ""),
    ],
)
def test_lines_flow(lines, text):
    assert join_lines(lines) == text


def test_paragraphs_are_the_regions_or_the_whole_page():
    lines = tuple(Line(text, (), 1.0) for text in ("one", "two", "three", ""))
    page = Page(
        lines,
        9,
        9,
        regions=(Region("paragraph", (), (2, 0)), Region("heading", (), (3,)), Region("marginalia", (), (1,))),
    )
    assert paragraphs(page) == ["three one", "two"]
    assert paragraphs(Page(lines, 9, 9)) == ["one two three"]
    assert paragraphs(Page()) == []
