"""The feedback store, the same on SQLite and on PostgreSQL."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy

from text_recognizer.page import Line, Page, Word
from text_recognizer.service.feedback import (
    DamagedImage,
    FeedbackStore,
    FeedbackUnavailable,
    InvalidCorrection,
    NewCorrection,
    Statistics,
    StoredPage,
    StoredReading,
    UnknownReading,
    records,
)
from text_recognizer.service.feedback.images import image_key, open_images

BOX = ((0.0, 0.0), (9.0, 0.0), (9.0, 5.0))
PNG = b"\x89PNG\r\n\x1a\n"


def line(text: str) -> Line:
    return Line(text, BOX, 0.5, BOX[:2], tuple(Word(word, BOX, 0.5, (0.5,) * len(word)) for word in text.split()))


PAGE = Page((line("helo world"), line("good bye")), 10, 12, "letter.jpg", {"lines": "lines 1"})


def small(identifier: str, image: bytes | None = PNG + b"1", **fields) -> StoredReading:
    return StoredReading(identifier, (StoredPage(PAGE, image),), **fields)


def texts(reading: StoredReading) -> list[str]:
    return [line.text for stored in reading.pages for line in stored.page]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def execute(url: str, *statements: str) -> None:
    """What another program does to the database behind the store's back."""
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_a_real_reading_comes_back_as_it_was(store, sample_pages):
    pages = tuple(StoredPage(*sample_pages[name]) for name in ("letter", "notes-photograph"))
    when = datetime(2026, 5, 1, 12, 30, tzinfo=timezone(timedelta(hours=2)))
    given = StoredReading("a" * 32, pages, "page", {"lines": "lines 1"}, 412.5, True, "étude", when)
    store.save_reading(given)
    back = store.reading("a" * 32)
    for number, (stored, saved) in enumerate(zip(back.pages, pages, strict=True)):
        assert stored.page == Page.from_dict(saved.page.to_dict())
        assert stored.image is None
        assert stored.image_key.startswith(hashlib.sha256(saved.image).hexdigest())
        assert store.image("a" * 32, number) == saved.image
    assert (back.kind, back.model, back.milliseconds) == ("page", {"lines": "lines 1"}, 412.5)
    assert (back.consent, back.owner) == (True, "étude")
    assert (back.created, back.created.tzinfo) == (when, UTC)


def test_what_is_not_there(store):
    store.save_reading(small("there", image=None))
    for unknown in ("nowhere", "", "../etc", "nul\0", "x" * 65):
        with pytest.raises(UnknownReading, match="no reading"):
            store.reading(unknown)
        with pytest.raises(UnknownReading):
            store.add_corrections(unknown, [NewCorrection(0, 0, "a")], None)
        with pytest.raises(UnknownReading):
            store.set_consent(unknown, True)
        assert store.image(unknown, 0) is None
        assert not store.delete_reading(unknown)
    assert store.image("there", 0) is None
    for page in (1, -1, 10**12, 10**30):
        assert store.image("there", page) is None


def test_corrections_apply_to_the_line_and_the_last_one_wins(store):
    store.save_reading(small("r"))
    batch = [NewCorrection(0, 0, "hello world", word=0), NewCorrection(0, 1, "good bye")]
    assert store.add_corrections("r", batch, "ann") == 2
    assert store.add_corrections("r", [NewCorrection(0, 0, f"hello {n}") for n in range(20)], None) == 20
    reading = store.reading("r")
    assert texts(reading) == ["hello 19", "good bye"]
    first, confirmed, *rest = reading.corrections
    assert (first.before, first.after, first.word, first.who) == ("helo world", "hello world", 0, "ann")
    assert confirmed.before == confirmed.after == "good bye"
    assert [made.before for made in rest] == ["hello world"] + [f"hello {n}" for n in range(19)]
    assert abs(first.created - datetime.now(UTC)) < timedelta(minutes=1)
    assert store.statistics() == Statistics(1, 0, 1, 1, 22, 1)


def test_words_of_a_corrected_line_keep_their_outlines_where_their_number_is_the_same(store):
    store.save_reading(small("r"))
    store.add_corrections("r", [NewCorrection(0, 0, "hello world"), NewCorrection(0, 1, "goodbye")], None)
    same, joined = store.reading("r").pages[0].page.lines
    assert [word.text for word in same.words] == ["hello", "world"]
    assert [len(word.character_confidences) for word in same.words] == [0, 5]
    assert same.words[0].polygon == BOX
    assert joined.words == ()


def test_text_is_normalised_and_not_mangled(store):
    store.save_reading(small("r"))
    store.add_corrections("r", [NewCorrection(0, 0, "  e\u0301te\u0301\u00a0: “Ça”  "), NewCorrection(0, 1, "")], None)
    assert texts(store.reading("r")) == ["été : “Ça”", ""]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (NewCorrection(1, 0, "a"), "correction 2: there is no page 1 "),
        (NewCorrection(-1, 0, "a"), "no page -1"),
        (NewCorrection(0, 2, "a"), "page 0 has no line 2 .*has 2"),
        (NewCorrection(0, -1, "a"), "no line -1"),
        (NewCorrection(0, 0, "a", word=5), "no word 5"),
        (NewCorrection(0, 0, "a", word=-1), "no word -1"),
        (NewCorrection(0, 0, "a\nb"), r"a line break \(U\+000A\)"),
        (NewCorrection(0, 0, "a\u2028b"), "a line break"),
        (NewCorrection(0, 0, "a\x00b"), r"a control character \(U\+0000\)"),
        (NewCorrection(0, 0, "a\ud800b"), "half a character"),
        (NewCorrection(0, 0, "a" * 1001), "1,001 characters, more than 1,000"),
    ],
)
def test_a_wrong_correction_is_named_and_none_of_its_batch_is_kept(sqlite_store, wrong, message):
    sqlite_store.save_reading(small("r"))
    with pytest.raises(InvalidCorrection, match=message):
        sqlite_store.add_corrections("r", [NewCorrection(0, 0, "right"), wrong], None)
    assert sqlite_store.reading("r").corrections == ()


def test_a_reading_is_saved_once(store):
    store.save_reading(small("r", owner="first"))
    with pytest.raises(ValueError, match="stored as 'r' already"):
        store.save_reading(small("r", owner="second"))
    assert store.reading("r").owner == "first"


def test_wrong_readings_are_refused(sqlite_store):
    with pytest.raises(ValueError, match="neither JPEG, PNG nor WebP"):
        sqlite_store.save_reading(small("r", image=b"GIF89a"))
    for fields, message in [({"kind": "book"}, "kind"), ({"created": datetime(2026, 1, 1)}, "time zone")]:
        with pytest.raises(ValueError, match=message):
            small("r", **fields)
    with pytest.raises(ValueError, match="identifier"):
        small("../r")
    assert sqlite_store.statistics() == Statistics(0, 0, 0, 0, 0, 0)


def test_readings_are_listed_newest_first_page_by_page(store):
    start = datetime(2026, 5, 1, tzinfo=UTC)
    for number in range(7):
        store.save_reading(small(f"r{number}", created=start + timedelta(seconds=number // 2)))
    store.add_corrections("r6", [NewCorrection(0, 0, "a")], "ann")
    listed = store.readings(limit=3)
    assert (listed[0].id, listed[0].pages, listed[0].corrections) == ("r6", 1, 1)
    while page := store.readings(limit=3, before=listed[-1].id):
        listed += page
    assert [summary.id for summary in listed] == [f"r{number}" for number in (6, 5, 4, 3, 2, 1, 0)]
    assert all(summary.created.tzinfo is UTC for summary in listed)
    with pytest.raises(UnknownReading):
        store.readings(before="nowhere")


def test_deleting_takes_images_that_no_other_page_has(store, images):
    shared, own = PNG + b"shared", PNG + b"own"
    store.save_reading(StoredReading("one", (StoredPage(PAGE, shared), StoredPage(PAGE, own), StoredPage(PAGE, own))))
    store.save_reading(small("two", shared))
    store.add_corrections("one", [NewCorrection(2, 0, "a")], None)
    assert files(images) == sorted([image_key(shared), image_key(own)])
    assert store.delete_reading("one")
    assert files(images) == [image_key(shared)]
    assert store.image("two", 0) == shared
    assert store.statistics() == Statistics(1, 0, 1, 1, 0, 0)
    assert store.delete_reading("two")
    assert files(images) == []


def test_a_person_is_forgotten(store, images):
    store.save_reading(small("hers", PNG + b"1", owner="ann"))
    store.save_reading(small("his", PNG + b"2", owner="bob", consent=True))
    store.add_corrections("hers", [NewCorrection(0, 0, "by bob")], "bob")
    store.add_corrections("his", [NewCorrection(0, 0, "by bob"), NewCorrection(0, 1, "by bob")], "bob")
    store.add_corrections("his", [NewCorrection(0, 0, "by ann")], "ann")
    assert store.forget("ann") == 2
    assert [summary.id for summary in store.readings()] == ["his"]
    assert texts(store.reading("his")) == ["by bob", "by bob"]
    assert files(images) == [image_key(PNG + b"2")]
    assert store.forget("nobody") == 0


def test_purge_keeps_what_is_recent_or_consented(store, images):
    now = datetime(2026, 5, 31, tzinfo=UTC)
    for name, days, consent in [("old", 31, False), ("recent", 29, False), ("given", 400, True), ("taken", 31, True)]:
        store.save_reading(small(name, PNG + name.encode(), created=now - timedelta(days=days), consent=consent))
    store.add_corrections("old", [NewCorrection(0, 0, "a")], None)
    store.set_consent("taken", False)
    orphan = open_images(str(images)).write(PNG + b"written before a crash")
    (images / orphan[:2] / "notes.txt").write_text("not ours")
    abandoned = images / orphan[:2] / ".x.partial"
    abandoned.touch()
    assert store.purge(retention_days=30, now=now) == 2
    assert abandoned.exists()  # somebody may be writing it
    os.utime(abandoned, (0, 0))
    assert store.purge(retention_days=30, now=now) == 0
    assert {summary.id for summary in store.readings()} == {"recent", "given"}
    assert store.statistics().corrections == 0
    assert files(images) == sorted([image_key(PNG + b"recent"), image_key(PNG + b"given"), "notes.txt"])
    with pytest.raises(ValueError, match="-1 days"):
        store.purge(-1)


CHILD = """
import itertools, sys
from text_recognizer.service.feedback import FeedbackStore, NewCorrection
store = FeedbackStore(sys.argv[1], sys.argv[2])
who, count = sys.argv[3], int(sys.argv[4])
for number in itertools.islice(itertools.count(), count or None):
    store.add_corrections("r", [NewCorrection(0, 0, f"{who} {number}"), NewCorrection(0, 1, f"{who} {number}")], who)
    print("acknowledged", flush=True)
"""


def start(script: str, *arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_acknowledged_corrections_survive_kill_9(store, database_url, images):
    store.save_reading(small("r"))
    with start(CHILD, database_url, images, "child", 0) as child:
        for _ in range(40):
            assert child.stdout.readline() == "acknowledged\n", child.stderr.read()
        child.send_signal(signal.SIGKILL)
        acknowledged = 40 + child.stdout.read().count("acknowledged\n")
    store.close()
    reopened = FeedbackStore(database_url, str(images))
    made = reopened.reading("r").corrections
    assert len(made) >= 2 * acknowledged
    assert [(c.line, c.after) for c in made] == [(k % 2, f"child {k // 2}") for k in range(len(made))]
    assert len(made) % 2 == 0  # never half of a transaction
    reopened.add_corrections("r", [NewCorrection(0, 0, "after")], None)
    reopened.close()


def test_processes_and_threads_write_at_once(store, database_url, images):
    store.save_reading(small("r"))
    children = [start(CHILD, database_url, images, name, 25) for name in ("ann", "bob")]

    def correct(name: str) -> None:
        for number in range(20):
            store.add_corrections("r", [NewCorrection(0, 0, f"{name} {number}")], name)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(correct, ["t1", "t2", "t3", "t4"]))
    for child in children:
        assert child.wait(30) == 0, child.stderr.read()
        child.stdout.close()
        child.stderr.close()
    made = [c for c in store.reading("r").corrections if c.line == 0]
    assert len(made) == 2 * 25 + 4 * 20
    befores = [c.before for c in made]
    assert befores == ["helo world"] + [c.after for c in made[:-1]]  # one after the other, none lost


def test_processes_start_at_once_on_an_empty_database(database_url, images):
    script = """
import sys
from text_recognizer.service.feedback import FeedbackStore
store = FeedbackStore(*sys.argv[1:])
print("ready", flush=True)
sys.stdin.readline()
store.ping()
"""
    command = [sys.executable, "-c", script, database_url, str(images)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    children = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for child in children:
        assert child.stdout.readline() == "ready\n", child.stderr.read()
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, errors = child.communicate(timeout=30)
        assert child.returncode == 0, errors


def test_threads_start_at_once_on_an_empty_database(store):
    barrier = threading.Barrier(8)

    def save(number: int) -> None:
        barrier.wait()
        store.save_reading(small(f"r{number}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(save, range(8)))
    assert store.statistics().readings == 8


def test_saving_and_deleting_the_same_image_at_once_never_loses_it(store, images):
    def churn(name: str) -> None:
        for number in range(10):
            store.save_reading(small(f"{name}-{number}"))
            assert store.image(f"{name}-{number}", 0) == PNG + b"1"
            assert store.delete_reading(f"{name}-{number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(churn, "abcd"))
    assert files(images) == []


def test_sqlite_acknowledges_what_is_on_the_disk(sqlite_store):
    sqlite_store.ping()
    with sqlite_store._database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() >= 5000


def test_a_newer_database_is_refused(store, database_url, images):
    store.ping()
    store.close()
    execute(database_url, "UPDATE feedback_schema SET version = 99")
    with pytest.raises(FeedbackUnavailable, match="version 99, this program knows version 1"):
        FeedbackStore(database_url, str(images)).ping()


def test_a_failure_half_way_leaves_nothing_half_saved(store, database_url, images):
    store.save_reading(small("r"))
    execute(database_url, "ALTER TABLE pages RENAME TO away")
    with pytest.raises(FeedbackUnavailable, match="cannot be used"):
        store.save_reading(small("half", PNG + b"half"))
    execute(database_url, "ALTER TABLE away RENAME TO pages", "CREATE UNIQUE INDEX once ON corrections (after)")
    with pytest.raises(FeedbackUnavailable, match="cannot be used"):
        store.add_corrections("r", [NewCorrection(0, 0, text) for text in ("a", "b", "a")], None)
    assert store.statistics() == Statistics(1, 0, 1, 1, 0, 0)
    assert files(images) == sorted([image_key(PNG + b"1"), image_key(PNG + b"half")])
    store.purge(retention_days=9)
    assert files(images) == [image_key(PNG + b"1")]


def test_a_read_only_database_is_read_and_says_so_when_written(sqlite_store, sqlite_url, images):
    sqlite_store.save_reading(small("r"))
    path = sqlite_url.removeprefix("sqlite:///")
    read_only = FeedbackStore(f"sqlite:///file:{path}?mode=ro&uri=true", str(images))
    assert texts(read_only.reading("r")) == ["helo world", "good bye"]
    with pytest.raises(FeedbackUnavailable, match=r"feedback\.db.*readonly database"):
        read_only.add_corrections("r", [NewCorrection(0, 0, "a")], None)
    read_only.close()


def test_a_database_that_another_one_keeps_locked(sqlite_store, sqlite_url, monkeypatch):
    sqlite_store.save_reading(small("r"))
    impatient = FeedbackStore(f"{sqlite_url}?timeout=0.1", "images")
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(FeedbackUnavailable, match="locked"):
        impatient.set_consent("r", True)
    assert texts(impatient.reading("r"))  # readers do not wait for writers
    other.execute("ROLLBACK")
    impatient.set_consent("r", True)
    impatient.close()
    other.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:////dev/null/feedback.db", "feedback.db cannot be used: .*"),
        ("postgres://user:secret@127.0.0.1:1/name", r"user:\*\*\*@127.0.0.1:1/name cannot be used: .*refused"),
    ],
)
def test_a_database_that_is_not_there(url, message, tmp_path):
    store = FeedbackStore(url, str(tmp_path))
    with pytest.raises(FeedbackUnavailable, match=message) as caught:
        store.ping()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_database_that_goes_away_and_comes_back(postgres_server, images):
    store = FeedbackStore(postgres_server.new_database(), str(images))
    store.save_reading(small("r"))
    postgres_server.stop()
    try:
        with pytest.raises(FeedbackUnavailable):
            store.add_corrections("r", [NewCorrection(0, 0, "a")], None)
        with pytest.raises(FeedbackUnavailable):
            store.ping()
    finally:
        postgres_server.start()
    assert store.add_corrections("r", [NewCorrection(0, 0, "a")], None) == 1
    store.close()


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite://", "sqlite:///:memory:", "feedback.db", "nonsense://"])
def test_other_databases_are_refused_at_once(url):
    with pytest.raises(ValueError, match="database"):
        FeedbackStore(url, "images")


def test_images_that_cannot_be_written(sqlite_url, tmp_path):
    (tmp_path / "file").touch()
    store = FeedbackStore(sqlite_url, str(tmp_path / "file"))
    with pytest.raises(FeedbackUnavailable, match=r"images in .*file cannot be used"):
        store.save_reading(small("r"))
    assert store.statistics().readings == 0


def test_a_damaged_image_is_noticed(sqlite_store, images):
    sqlite_store.save_reading(small("r"))
    (path,) = (path for path in images.rglob("*.png"))
    assert path.parent.name == path.name[:2]
    path.write_bytes(PNG + b"2")
    with pytest.raises(DamagedImage, match="damaged"):
        sqlite_store.image("r", 0)
    path.unlink()
    assert sqlite_store.image("r", 0) is None


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", "a" * 64, "A" * 64 + ".png", "a" * 63 + "/.png", "", "a" * 64 + ".png\n"]
)
def test_a_key_that_is_no_hash_is_refused(key, tmp_path):
    images = open_images(str(tmp_path))
    for method in (images.read, images.exists, images.delete):
        with pytest.raises(ValueError, match="no key"):
            method(key)


@pytest.fixture
def bucket(monkeypatch):
    """The URL of an empty bucket of an S3 server of our own."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    server_of = pytest.importorskip("moto.server", reason="moto is not installed")
    import boto3

    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3").create_bucket(Bucket="feedback")
    yield "s3://feedback/images"
    server.stop()


def test_images_in_s3(sqlite_url, bucket):
    store = FeedbackStore(sqlite_url, bucket)
    store.save_reading(small("one", PNG + b"shared"))
    store.save_reading(StoredReading("two", (StoredPage(PAGE, PNG + b"shared"), StoredPage(PAGE, PNG + b"own"))))
    assert store.image("two", 1) == PNG + b"own"
    images = open_images(bucket)
    orphan = images.write(PNG + b"orphan")
    assert store.delete_reading("two")
    assert store.image("one", 0) == PNG + b"shared"
    assert sorted(images.list_keys()) == sorted([image_key(PNG + b"shared"), orphan])
    assert store.purge(retention_days=9) == 0
    assert images.list_keys() == [image_key(PNG + b"shared")]
    images._files.pipe_file(f"{images._root}/{orphan[:2]}/{orphan}", PNG)
    with pytest.raises(DamagedImage):
        images.read(orphan)
    images.delete(orphan)
    images.delete(orphan)
    assert images.read(orphan) is None
    with pytest.raises(FeedbackUnavailable, match="s3://nowhere"):
        open_images("s3://nowhere/images").write(PNG)


def test_an_unknown_kind_of_place_for_images_is_refused():
    with pytest.raises(ValueError, match="gopher"):
        open_images("gopher://host/images")


def test_where_feedback_is_kept(monkeypatch, tmp_path):
    for name in ("TEXT_RECOGNIZER_HOME", "TEXT_RECOGNIZER_FEEDBACK_DATABASE", "TEXT_RECOGNIZER_FEEDBACK_IMAGES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert records.feedback_images() == str(tmp_path / "text-recognizer" / "images")
    monkeypatch.setenv("XDG_DATA_HOME", "")
    assert records.home_dir() == Path.home() / ".local" / "share" / "text-recognizer"
    monkeypatch.setenv("TEXT_RECOGNIZER_HOME", str(tmp_path))
    assert records.feedback_database() == f"sqlite:///{tmp_path}/feedback.db"
    monkeypatch.setenv("TEXT_RECOGNIZER_FEEDBACK_DATABASE", "postgresql://host/name")
    monkeypatch.setenv("TEXT_RECOGNIZER_FEEDBACK_IMAGES", "s3://bucket")
    assert (records.feedback_database(), records.feedback_images()) == ("postgresql://host/name", "s3://bucket")
