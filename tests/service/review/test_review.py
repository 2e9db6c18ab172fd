"""The review queue on SQLite and on PostgreSQL: what waits, in which order, for whom, and what becomes of it."""

from __future__ import annotations

import dataclasses
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.service.monitoring.test_monitoring_store import DAY, like_the_reference
from text_recognizer.cli.main import app
from text_recognizer.images import ImageError
from text_recognizer.labeling.labels import Label, now
from text_recognizer.labeling.pages import UnknownPage
from text_recognizer.page import Line, Page, Word
from text_recognizer.recognition.bundle import SHIPPED
from text_recognizer.service.feedback import NewCorrection, StoredPage, StoredReading
from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.monitoring.check import check, remember
from text_recognizer.service.monitoring.reference import load_reference
from text_recognizer.service.monitoring.store import FeatureStore
from text_recognizer.service.review.prepare import DriftWindow, Outlier, outlier
from text_recognizer.service.review.queue import ReviewQueue
from text_recognizer.service.review.source import DecodedPages, ReviewPictures, ReviewSource
from text_recognizer.service.review.store import ReviewStore
from text_recognizer.service.settings import Settings

USUAL = load_reference(SHIPPED / "lines" / "reference.json")


def jpeg(shade: int = 250) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((200, 300), shade, np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def page(*confidences: float) -> Page:
    """A page of lines of two words, the second of which has this confidence, the first one a high one."""
    lines = []
    for number, sure in enumerate(confidences):
        top = 10 + 40 * number
        box = ((10.0, top), (200.0, top), (200.0, top + 30), (10.0, top + 30))
        words = (Word("sure", box, 0.99, (0.99,) * 4), Word(f"w{number}", box, sure, (sure,) * 2))
        lines.append(Line(f"sure w{number}", box, sure, ((10, top + 22), (200, top + 22)), words))
    return Page(tuple(lines), 300, 200, None, dict(USUAL.models))


class Desk:
    """The queue of a database with a feedback store, as server processes have it."""

    def __init__(self, store, url: str) -> None:
        self.store, self.url = store, url
        self.features = FeatureStore(url)
        self.reviews = ReviewStore(url, self.features, Settings(drift_reference=str(SHIPPED / "lines")))

    def keep(self, id: str, *confidences: float, pages: int = 1, **fields) -> None:
        kept = tuple(StoredPage(page(*confidences), jpeg()) for _ in range(pages))
        self.store.save_reading(StoredReading(id, kept, **{"consent": True} | fields))
        while self.reviews.prepare():
            pass

    def record(self, id: str, **changes: float) -> None:
        """Features of a reading that look like those of the reference, some of them times a factor."""
        (row,) = like_the_reference(1, **changes)
        features = dataclasses.replace(row.features, created=utc_now())
        self.features.add([dataclasses.replace(row, document=id, features=features)])

    def queue(self, owner: str | None = None) -> ReviewQueue:
        return ReviewQueue(ReviewSource(self.reviews, self.store, owner))

    def next(self, who: str, owner: str | None = None, **wish) -> tuple[str, str] | None:
        task = self.queue(owner).next(who, **wish)
        return None if task is None else (task.page, task.line.id)

    def say(self, who: str, place: tuple[str, str], status: str = "labeled", text: str = "right") -> None:
        box = ((0, 0), (9, 0), (9, 9))
        text = text if status == "labeled" else ""
        queue = self.queue()
        queue.source.add([Label(*place, who, now(), status, text, box)])
        queue.release(who, *place)


@pytest.fixture
def desk(store, database_url):
    made = Desk(store, database_url)
    yield made
    made.reviews.close()
    made.features.close()


def test_doubtful_lines_of_readings_with_consent_come_in_the_order_of_doubt(desk):
    desk.keep("first", 0.6, 0.9, 0.2)
    desk.keep("second", 0.4, pages=2)
    desk.keep("secret", 0.1, consent=False)
    desk.store.save_reading(StoredReading("blind", (StoredPage(page(0.1)),), consent=True))  # there is no image of it
    order = []
    while place := desk.next("Ada"):
        order.append(place)
        desk.say("Ada", place)
    assert order == [("first/0", "2"), ("second/0", "0"), ("second/1", "0"), ("first/0", "0")]
    progress = desk.queue().progress()
    assert (progress.lines, progress.done, progress.waiting, dict(progress.by)) == (4, 4, 0, {"Ada": 4})
    assert desk.queue().recent("Ada") == order
    assert desk.queue().recent("Ben") == desk.queue().pages() == []
    made = desk.store.reading("first").corrections
    assert [(one.line, one.word, one.after, one.who) for one in made] == [
        (2, None, "right", "Ada"),
        (0, None, "right", "Ada"),
    ]
    desk.store.set_consent("secret", True)
    while desk.reviews.prepare():
        pass
    assert desk.next("Ada") == ("secret/0", "0")


def test_people_at_once_have_different_readings(desk):
    for number in range(6):
        desk.keep(f"r{number}", 0.1 + number / 100, 0.5)
    others = [Desk(desk.store, desk.url) for _ in range(3)]  # of other server processes
    people = [f"person {number}" for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit([desk, *others][n % 4].next, who) for n, who in enumerate(people)]
        found = [job.result() for job in jobs]
    assert sorted(found) == [(f"r{number}/0", "0") for number in range(6)]
    queue = desk.queue()
    assert queue.next("Gus") is None
    assert queue.others("Gus")
    assert desk.next("person 0") == found[0]  # after a reload it is still theirs
    place = found[0]
    desk.say("person 0", place)
    assert desk.next("Gus") == (place[0], "1")
    queue.release("Gus", place[0], "1")
    assert desk.next("person 0") == (place[0], "1")
    for other in others:
        other.reviews.close()
        other.features.close()


def test_pages_unlike_the_usual_come_before_others_as_sure_as_they(desk):
    for id, changes in (("plain", {}), ("drawn", {"contrast": 40.0}), ("late", {})):
        desk.record(id, **changes)
        desk.keep(id, 0.6, 0.98)
    assert desk.next("Ada") == ("drawn/0", "0")
    why = desk.queue().task("Ada", "drawn/0", "0").why
    assert why == ("confidence 60 %", "least sure of “w0”: 60 %", "unlike the usual pages: contrast")
    desk.say("Ada", ("drawn/0", "0"))
    assert desk.next("Ada") == ("drawn/0", "1")  # sure, but on a page where that says less
    assert desk.queue().progress().lines == 4
    assert desk.queue().task("Ada", "plain/0", "0").why == ("confidence 60 %", "least sure of “w0”: 60 %")


def test_an_alert_brings_up_what_drifted(desk, monkeypatch):
    drifted = like_the_reference(80, stroke_width=1.35)
    desk.features.add(drifted)
    for row in drifted[:2]:
        desk.keep(row.document, 0.7, created=row.features.created)
    before = {page: desk.queue().task("Ada", page, "0").why for page, _, _ in desk.queue().pages()}
    report = check(desk.features, USUAL, DAY)
    assert "stroke_width" in report.drifted
    assert remember(desk.features, report).kind == "began"
    monkeypatch.setattr("text_recognizer.service.review.prepare._FRESH", 0.0)
    again = Desk(desk.store, desk.url)
    while again.reviews.prepare():
        pass
    after = {page: again.queue().task("Ada", page, "0").why for page, _, _ in again.queue().pages()}
    assert before.keys() == after.keys()
    assert not any("drift" in reason for reasons in before.values() for reason in reasons)
    assert any(reason.startswith("part of a drift: stroke width") for reasons in after.values() for reason in reasons)
    again.reviews.close()
    again.features.close()


def test_what_is_far_outside_and_what_is_not():
    (row,) = like_the_reference(1)
    usual = row.features
    assert not outlier(usual, USUAL)
    far = dataclasses.replace(
        usual, contrast=50.0, slant=200.0, milliseconds=1e9, confidence=0.0, sharpness=float("nan")
    )
    assert outlier(far, USUAL) == Outlier(("contrast", "slant"))
    assert outlier(dataclasses.replace(usual, polarity="light on dark"), USUAL).strange == ("polarity",)
    assert not outlier(dataclasses.replace(far, unit="line"), USUAL)
    assert not outlier(dataclasses.replace(far, version=usual.version + 1), USUAL)
    low, high = USUAL.quantiles["ink"][1], USUAL.quantiles["ink"][9]
    darker = dataclasses.replace(usual, ink=high + 0.5 * (high - low))
    hour = timedelta(hours=1)
    window = DriftWindow(usual.created - hour, usual.created + hour, ("ink", "all together"))
    assert not outlier(darker, USUAL)
    assert outlier(darker, USUAL, [window]) == Outlier((), ("ink",))
    assert not outlier(darker, USUAL, [dataclasses.replace(window, end=usual.created - hour)])
    assert not outlier(usual, USUAL, [dataclasses.replace(window, features=("contrast", "ink"))])


def test_keys_see_their_own_readings_and_no_others(desk):
    desk.keep("adas", 0.5, owner="ada")
    desk.keep("bens", 0.3, owner="ben")
    assert desk.next("ada", owner="ada") == ("adas/0", "0")
    assert desk.next("boss") == ("bens/0", "0")
    assert desk.queue("ada").progress().lines == 1
    assert [row[0] for row in desk.queue("ada").pages()] == ["adas/0"]
    foreign = desk.queue("ada")
    for ask in (foreign.source.lines, foreign.source.size, foreign.source.name):
        with pytest.raises(UnknownPage, match="not here any more"):
            ask("bens/0")
    with pytest.raises(UnknownPage):
        foreign.task("ada", "bens/0", "0")
    with pytest.raises(UnknownPage):
        ReviewPictures(foreign.source, DecodedPages()).page("bens/0")


def test_what_is_said_beside_texts(desk):
    desk.keep("r", 0.1, 0.2, 0.3, 0.4)
    desk.say("Ada", ("r/0", "0"), "skipped")
    desk.say("Ada", ("r/0", "1"), "illegible")
    desk.say("Ada", ("r/0", "2"), "no-line")
    assert desk.next("Ada") == ("r/0", "3")
    assert desk.next("Ada", order="skipped") == ("r/0", "0")
    assert desk.next("Ada", order="disputed") is None
    assert desk.next("Ada", passed=[("r/0", "3")]) is None
    desk.queue().release("Ada", "r/0", "3")
    assert desk.next("Ben", page="r/0") == ("r/0", "0")
    assert [(one.line, one.after) for one in desk.store.reading("r").corrections] == [(2, "")]
    states = [line.final.status if line.final else None for line in desk.queue().source.lines("r/0")]
    assert states == [None, "illegible", "no-line", None]

    desk.say("Ada", ("r/0", "1"), text="but I can")  # another opinion of the same person
    assert desk.queue().source.lines("r/0")[1].final.text == "but I can"
    desk.say("Ada", ("r/0", "1"), "illegible")
    assert desk.queue().source.lines("r/0")[1].final.status == "illegible"
    last = desk.store.reading("r").corrections[-1]
    assert (last.line, last.word, last.after) == (1, 0, "sure w1")  # its text is nobody's word for the line any more
    assert desk.queue().progress().waiting == 2
    with pytest.raises(ValueError, match="no line"):
        desk.say("Ada", ("r/0", "9"))


def test_corrections_made_on_the_main_page_count(desk):
    desk.keep("r", 0.1, 0.2)
    desk.store.add_corrections("r", [NewCorrection(0, 0, "mended w0", word=0)], None)
    task = desk.queue().next("Ada")
    assert (task.line.id, task.line.text) == ("0", "mended w0")  # a word alone was
    assert task.why[-1] == "a word of it was corrected"
    desk.store.add_corrections("r", [NewCorrection(0, 0, "mended w0")], None)
    assert desk.next("Ada") == ("r/0", "1")
    desk.store.add_corrections("r", [NewCorrection(0, 0, "mended w9", word=1)], "Ben")
    assert desk.next("Ada") == ("r/0", "0")


def test_a_reading_that_is_gone_says_so_and_leaves_nothing(desk):
    desk.keep("r", 0.1)
    desk.keep("s", 0.2)
    desk.say("Ada", ("s/0", "0"), "illegible")
    place = desk.next("Ada")
    desk.store.set_consent("r", False)
    for ask in (
        lambda: desk.say("Ada", place),
        lambda: desk.queue().task("Ada", *place),
        lambda: desk.next("Ada", page="r/0"),
    ):
        with pytest.raises(UnknownPage, match="deleted, or the consent"):
            ask()
    assert desk.store.reading("r").corrections == ()
    assert desk.next("Ben") is None
    desk.store.set_consent("r", True)
    assert desk.next("Ada") == place
    assert desk.store.delete_reading("r")
    assert desk.store.delete_reading("s")
    with pytest.raises(UnknownPage):
        desk.say("Ada", place)
    with desk.reviews.transaction() as session:
        for table in ("review_pages", "review_lines", "review_marks", "review_reserved"):
            assert session.connection().exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0
    for name in ("../r/0", "r/x", "r/-1", "r", "r/99999999999"):
        with pytest.raises(UnknownPage):
            desk.queue().source.lines(name)


def test_pictures_are_of_the_page_as_it_was_kept(desk, images):
    desk.keep("r", 0.1)
    source = desk.queue().source
    pictures, line = ReviewPictures(source, DecodedPages()), source.lines("r/0")[0]
    assert pictures.page("r/0") == jpeg()
    assert Image.open(io.BytesIO(pictures.line("r/0", line.polygon, line.baseline))).width > 150
    (file,) = [path for path in images.rglob("*") if path.is_file()]
    file.write_bytes(jpeg(9))
    with pytest.raises(ImageError, match="damaged"):
        ReviewPictures(source, DecodedPages()).page("r/0")
    file.unlink()
    with pytest.raises(UnknownPage, match="image"):
        ReviewPictures(source, DecodedPages()).line("r/0", line.polygon, line.baseline)


def test_a_person_can_be_forgotten(desk, images):
    desk.keep("r", 0.1, 0.2)
    desk.say("Ada", ("r/0", "0"), "illegible")
    desk.say("Ben", ("r/0", "1"), "skipped")
    options = ["--database", desk.url, "--images", str(images)]
    done = CliRunner().invoke(app, ["feedback", "forget", "Ada", *options])
    assert done.exit_code == 0, done.output
    assert "deleted 1" in done.output
    assert desk.queue().recent("Ada") == []
    assert desk.queue().recent("Ben") == [("r/0", "1")]
    assert desk.next("Ada") == ("r/0", "0")
