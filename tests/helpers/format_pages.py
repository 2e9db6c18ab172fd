"""Pages to be written in formats: what the reader makes, and its edges."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

from text_recognizer import Line, Page, Region, Word

WIDTH, HEIGHT = 900, 1200
OUTLINE = ((10.0, 20.0), (300.0, 18.0), (300.0, 60.0), (10.0, 62.0))


def line(text: str, top: float = 20, words: bool = True, confidence: float = 0.75) -> Line:
    """A line of 40 pixels below `top`; its words, 50 pixels apart."""

    def box(left, right):
        return ((left, top), (right, top), (right, top + 40.0), (left, top + 40.0))

    found = tuple(
        Word(token, box(50.0 * n, 50.0 * n + 45), 0.5, tuple(0.25 for _ in token))
        for n, token in enumerate(text.split(" "))
    )
    return Line(text, box(0.0, 800.0), confidence, ((0.0, top + 30), (800.0, top + 28)), found if words else ())


MODELS = {"detector": "detector 2 (d97419f5)", "lines": "lines 3 (f783552d)"}
LINES = tuple(line(text, 60.0 * n) for n, text in enumerate(("A heading", "one two-", "three", "N. B. 4")))
REGIONS = (
    Region("heading", OUTLINE, (0,)),
    Region("paragraph", OUTLINE, (1, 2), 0),
    Region("marginalia", OUTLINE, (3,)),
)

PAGES = {
    "one page": Page(LINES, WIDTH, HEIGHT, "scans/a & b.pdf#page=3", MODELS, REGIONS),
    "a blank page": Page((), WIDTH, HEIGHT, "blank.png", MODELS),
    "without regions": Page(LINES, WIDTH, HEIGHT, "a.png", MODELS),
    "without words": Page((line("no words here", words=False), line("word", 90, words=False)), WIDTH, HEIGHT),
    "unicode": Page(
        (line("„Déjà\u00a0vu“ <b>&amp; ]]> 𝔄 ŵ ¬ ـ شكرا", confidence=1.0), line("=1+1 \"x\",'y';\t| # `* _a_", 90)),
        WIDTH,
        HEIGHT,
        "naïve \"quoted\" 'name'.png",
    ),
    "regions that take turns": Page(
        LINES,
        WIDTH,
        HEIGHT,
        regions=(Region("paragraph", OUTLINE, (0, 2), 0), Region("paragraph", OUTLINE, (1, 3), 1)),
    ),
    "no places": Page((Line("text", (), 0.5), Line("", (), 0.0)), WIDTH, HEIGHT),
}

# Text that XML can hold: no control characters but tab and newlines, no halves of pairs, no non-characters.
_texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff", include_characters="\t\n\r")
)
_tokens = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=8).filter(
    lambda text: not set(text) & {"\ufffe", "\uffff"}
)
_confidences = st.floats(0, 1)
_points = st.tuples(st.integers(0, WIDTH).map(float), st.integers(0, HEIGHT).map(float))
_outlines = st.lists(_points, min_size=3, max_size=8, unique=True).map(tuple)
_baselines = st.just(()) | st.lists(_points, min_size=2, max_size=5, unique=True).map(tuple)


@st.composite
def _words(draw) -> Word:
    text = draw(_tokens)
    exact = st.lists(_confidences, min_size=len(text), max_size=len(text)).map(tuple)
    return Word(text, draw(_outlines), draw(_confidences), draw(st.just(()) | exact))


@st.composite
def _lines(draw) -> Line:
    words = tuple(draw(st.lists(_words(), max_size=3)))
    text = " ".join(word.text for word in words) if words else draw(_texts)
    return Line(text, draw(_outlines), draw(_confidences), draw(_baselines), words)


@st.composite
def pages(draw) -> Page:
    """Pages as the reader makes them, with any order of lines and regions."""
    lines = tuple(draw(st.lists(_lines(), max_size=5)))
    regions: tuple[Region, ...] = ()
    if lines and draw(st.booleans()):
        numbers = draw(st.permutations(range(len(lines))))
        cuts = sorted(draw(st.sets(st.integers(1, len(lines)), max_size=3)) | {0, len(lines)})
        kinds, columns = st.sampled_from(("paragraph", "heading", "marginalia")), st.none() | st.integers(0, 3)
        regions = tuple(
            Region(draw(kinds), draw(_outlines), tuple(numbers[start:end]), draw(columns))
            for start, end in pairwise(cuts)
        )
    models = draw(st.dictionaries(_tokens, _tokens, max_size=3))
    size = st.integers(0, 20_000)
    return Page(lines, draw(size), draw(size), draw(st.none() | _tokens), models, regions)
