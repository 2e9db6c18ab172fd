"""The same job on a cluster: Ray Data streams pages through a pool of actors, from any store to any store.

    documents -> (tasks) their pages -> blocks of a few pages -> (actors) read and written -> rows of the manifest

An actor that dies is started again and its block read again, at most three times; pages are written under the same
names then, and a row comes once. What travels are names and rows, so memory does not grow with the pages; the names of
all documents are held where the job is started.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from text_recognizer.formats import FORMATS
from text_recognizer.jobs.cluster_worker import PageReader, Store, documents, pages_of
from text_recognizer.jobs.documents import PageNumbers
from text_recognizer.jobs.outputs import Names, check_formats
from text_recognizer.jobs.progress import Tally
from text_recognizer.jobs.run import cores
from text_recognizer.jobs.worker import Reader, Recipe

MANIFEST = "manifest"  # a folder of files of rows: object stores have no files that grow
LOCAL = "local"
_BLOCK = 8  # pages that an actor takes at once
_TRIES = 3  # times that a block is begun again
_SPARE = 1  # cores that are not the actors', without which Ray Data could not cut documents into blocks
_KEPT = 500, 10.0  # rows, seconds: after as many a file of the manifest is written
_SAID = 15.0  # seconds between two lines of progress


@dataclass(frozen=True)
class ClusterJob:
    """What to read into which store. address: of the cluster, "local" for one on this machine. actors: that read, a
    core each; 0 for as many as there are cores."""

    inputs: tuple[str, ...]
    output: str
    formats: tuple[str, ...]
    recipe: Recipe
    pages: PageNumbers
    address: str = LOCAL
    actors: int = 0


def run_on_cluster(job: ClusterJob) -> Tally:
    """Read every page that has not been read. Raises ValueError or OSError where it cannot be done."""
    check_formats(job.formats)
    store = Store(job.output)
    recipe = replace(job.recipe, threads=1)
    models = dict(Reader(recipe).models)  # here first, so that a wrong model is named before a cluster is asked
    settings = recipe.settings() | {"formats": sorted(job.formats)}
    before = Before(store, models, settings)
    manifest = _Manifest(store)
    tally = Tally(before=before.count)
    found = _rows_of_documents(job, before)
    if not found:
        raise ValueError("nothing to read")
    ray = _connected(job.address, job.actors)
    try:
        tally.begin = time.monotonic()
        _read_all(ray, found, job, recipe, manifest, tally)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(
            f"interrupted after {tally.read} pages; what is done is kept: the same command goes on"
        ) from error
    finally:
        manifest.flush()
        if job.address == LOCAL:
            ray.shutdown()
    return tally


def _connected(address: str, actors: int) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report its use to its makers
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters is raised
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise ValueError('--ray needs Ray: pip install "text-recognizer[ray]"') from error
    # On this machine alone, nothing needs to listen where others could reach it.
    where: dict[str, Any] = {"address": address}
    if address == LOCAL:
        here = {"include_dashboard": False, "_node_ip_address": "127.0.0.1"}
        where |= here | {"num_cpus": (actors or cores()) + _SPARE}
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True, **where)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ValueError(f"no Ray cluster answers at {address}: {error}") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1  # pages on which actors die again and again do not end the job
    for name in ("ray.data", "ray.data._internal.execution.streaming_executor"):
        logging.getLogger(name).setLevel(logging.ERROR)
    return ray


def _read_all(
    ray: Any, found: list[dict[str, str]], job: ClusterJob, recipe: Recipe, manifest: _Manifest, tally: Tally
) -> None:
    actors = job.actors or max(1, int(ray.cluster_resources().get("CPU", 1)) - _SPARE)
    pages = ray.data.from_items(found, override_num_blocks=max(1, min(len(found), 4 * actors))).flat_map(
        pages_of,
        fn_kwargs={"numbers": job.pages.text, "recipe": recipe},
        num_cpus=0,  # it costs next to nothing
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the argument for restarts, which has no other name yet
        rows = pages.repartition(target_num_rows_per_block=_BLOCK).map(
            PageReader,
            fn_constructor_args=(recipe, job.formats, job.output),
            compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=2),
            num_cpus=1,
            ray_remote_args_fn=_restarts,
        )
    said = time.monotonic()
    missing = _Missing(found, job.pages)
    for item in rows.iter_rows():
        row = json.loads(item["row"])
        manifest.add(row)
        missing.take(row)
        _count(tally, row)
        if time.monotonic() - said > _SAID:
            said = time.monotonic()
            print(f"{tally.read + tally.failed} pages, {tally.rate:.2f} a second", file=sys.stderr, flush=True)
    for name in missing.documents():
        tally.failed += 1
        print(f"text-recognizer: pages of {name} were lost, as what read them died: run again", file=sys.stderr)


def _restarts() -> dict[str, int]:
    """Actors are started again whenever they die; a block on which they die each time is given up."""
    return {"max_restarts": -1, "max_task_retries": _TRIES}


class _Missing:
    """How many pages of each document no row has come of: an actor died on their block, time and again."""

    def __init__(self, found: list[dict[str, str]], numbers: PageNumbers) -> None:
        self._numbers = numbers
        self._left: dict[str, int | None] = {document["source"]: None for document in found}
        self._done = {document["source"]: document["done"] for document in found if document["done"]}

    def take(self, row: dict[str, Any]) -> None:
        """Count a row."""
        name = row["source"]
        left = self._left.get(name)
        if left is None and row["page"] is not None:
            done = set(self._done.get(name, "").split(","))
            left = sum(str(number) not in done for number in self._numbers.of(row["pages"]))
        self._left[name] = 0 if left is None else left - 1
        if not self._left[name]:
            del self._left[name]

    def documents(self) -> Iterator[str]:
        """The documents of which rows are missing; not those that were all read before."""
        return (name for name, left in self._left.items() if left or not self._done.get(name))


def _count(tally: Tally, row: dict[str, Any]) -> None:
    if row["status"] == "read":
        tally.add_read(f"{row['source']}#page={row['page']}", row["confidence"], row["text"])
    else:
        tally.failed += 1
        print(f"text-recognizer: {row['error']}", file=sys.stderr)


def _rows_of_documents(job: ClusterJob, before: Before) -> list[dict[str, str]]:
    """A row a document, with its stem and the pages that were read before."""
    names = Names(before.stems, [form.suffix for form in FORMATS.values()])
    return [
        {
            "source": source.name,
            "stem": names.stem(source.name, source.parts),
            "error": source.error or "",
            "done": ",".join(map(str, sorted(before.pages.get(source.name, ())))),
        }
        for source in documents(job.inputs)
    ]


class Before:
    """What earlier runs read with the same models and settings. pages: by document. stems: of all documents."""

    def __init__(self, store: Store, models: dict[str, str], settings: dict[str, Any]) -> None:
        self.pages: dict[str, set[int]] = {}
        self.stems: dict[str, str] = {}
        for row in _rows(store):
            self.stems[row["source"]] = row["stem"]
            if row["status"] == "read" and row["models"] == models and row["settings"] == settings:
                self.pages.setdefault(row["source"], set()).add(row["page"])

    @property
    def count(self) -> int:
        """Pages."""
        return sum(map(len, self.pages.values()))


def _rows(store: Store) -> Iterator[dict[str, Any]]:
    for data in store.read_all(MANIFEST):
        for line in data.splitlines():
            yield json.loads(line)


class _Manifest:
    """Rows, kept until there are enough for a file of the store."""

    def __init__(self, store: Store) -> None:
        self._store, self._rows = store, list[dict[str, Any]]()
        self._run, self._files, self._written = time.strftime("%Y%m%d-%H%M%S"), 0, time.monotonic()

    def add(self, row: dict[str, Any]) -> None:
        """Add a row."""
        self._rows.append(row)
        if len(self._rows) >= _KEPT[0] or time.monotonic() - self._written > _KEPT[1]:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet."""
        if self._rows:
            data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self._rows)
            name = f"{MANIFEST}/{self._run}-{os.getpid()}-{self._files:06d}.jsonl"
            self._store.write(name, data.encode("utf-8", "replace"))
            self._files += 1
        self._rows, self._written = [], time.monotonic()
