"""A whole job: checked, locked, its pages shared out among processes, recorded, gone on with after an interruption."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from text_recognizer.atomic_files import PARTIAL, WORK, check_room, locked_folder, remove_folder, tidy
from text_recognizer.formats import FORMATS
from text_recognizer.jobs.documents import PageNumbers
from text_recognizer.jobs.manifest import Manifest
from text_recognizer.jobs.outputs import Names, check_formats
from text_recognizer.jobs.plan import Plan, Terms
from text_recognizer.jobs.pool import Pool
from text_recognizer.jobs.progress import Progress, Tally
from text_recognizer.jobs.sources import STDIN, SUFFIXES, Source, Sources
from text_recognizer.jobs.worker import Recipe, worker_of
from text_recognizer.recognition.bundle import allowed_cores

_ROOM = 50_000_000  # bytes of the disk that are left alone
_A_DOCUMENT = 20_000  # bytes of output, roughly


@dataclass(frozen=True)
class Job:
    """What to read into which folder. jobs: processes, 0 for one a core. again: forget what was done before."""

    inputs: tuple[str, ...]
    output: Path
    formats: tuple[str, ...]
    recipe: Recipe
    pages: PageNumbers
    jobs: int = 1
    again: bool = False
    retry_failed: bool = False


def run_job(job: Job) -> Tally:
    """Read everything that has not been read.

    Raises ValueError or OSError, before any reading, where it cannot be done; OSError where the disk is full; and
    KeyboardInterrupt where it was interrupted, with how to go on.
    """
    check_formats(job.formats)
    sources = Sources(job.inputs, _check_place(job))
    try:
        job.output.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise ValueError(f"{job.output} is a file, and --output names a folder") from error
    with locked_folder(job.output):
        work = job.output / WORK
        tidy(work)
        tally = Tally(total=_count(job, sources))
        if job.again and (work / "parts").exists():
            remove_folder(work / "parts", work)
        manifest = Manifest(job.output, job.again)
        try:
            with Progress(tally) as progress, _interrupts() as interrupts:
                _read_all(job, sources, manifest, tally, progress, interrupts)
                for line in () if interrupts else tally.lines():
                    progress.note(line)
        finally:
            manifest.close()
            for spooled in work.glob(f"{PARTIAL}*"):
                spooled.unlink(missing_ok=True)
    if interrupts:
        again = " without --again" if job.again else ""
        raise KeyboardInterrupt(
            f"interrupted after {tally.read} pages; what is done is kept: the same command{again} goes on"
        )
    return tally


def _read_all(
    job: Job, sources: Sources, manifest: Manifest, tally: Tally, progress: Progress, interrupts: list[int]
) -> None:
    if manifest.damaged:
        progress.note(f"{manifest.damaged} rows of {manifest.path} are damaged; their pages are read again")
    size = job.jobs or cores()
    threads = job.recipe.threads or (max(1, cores() // size) if size > 1 else None)
    names = Names({name: done.stem for name, done in manifest.done.items()}, [f.suffix for f in FORMATS.values()])
    with Pool(size, worker_of, replace(job.recipe, threads=threads)) as pool:
        while pool.models is None and not interrupts:
            for _ in pool.answers(0.5):
                pass
        tally.begin = time.monotonic()  # loading is over
        settings = job.recipe.settings() | {"formats": sorted(job.formats), "pages": job.pages.text}
        terms = Terms(job.output, job.formats, job.pages, pool.models or {}, settings, job.retry_failed)
        spooled = (_spooled(source, job.output / WORK) for source in sources)
        _share_out(Plan(spooled, terms, names, manifest, tally, progress.note), pool, progress, interrupts)
    tally.passed_over = sources.passed_over


def _share_out(plan: Plan, pool: Pool, progress: Progress, interrupts: list[int]) -> None:
    """Until nothing is left; once interrupted, until the pages in work are done."""
    told = False
    while True:
        over = bool(interrupts)
        if over and not told:
            told = True
            progress.note("stopping after the pages in work")
        for member in () if over else pool.idle():
            task = plan.next(member.last)
            if task is None:
                over = True
                break
            pool.give(member, task)
        if over and not pool.is_busy:
            return
        for task, answer in pool.answers(0.5):
            plan.take(task, answer)
        progress.update()


def cores() -> int:
    """Cores that this process may use; in a container, as many as its share of the processor amounts to."""
    count = allowed_cores()
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return max(1, min(count, round(int(quota) / int(period))))
    except (OSError, ValueError):  # there is no limit: "max", or no such file
        return count


def _check_place(job: Job) -> Path | None:
    """The folder that is not to be looked into for inputs, because outputs there look like inputs.

    Raises ValueError where an output could replace an input.
    """
    if not any(FORMATS[name].suffix in SUFFIXES for name in job.formats):
        return None
    output = job.output.resolve()
    for text in job.inputs:
        if text != STDIN and Path(text).resolve().is_relative_to(output):
            raise ValueError(
                f"{text} lies in the output folder, where PDF files that are written could replace those that are "
                "read: name another folder with --output"
            )
    return output


def _count(job: Job, sources: Sources) -> int:
    """How many documents there are. Raises ValueError where there are none, OSError where outputs have no room."""
    count = size = 0
    for source in sources:
        count += 1
        size += source.size
    if not count:
        raise ValueError(f"nothing to read: {sources.passed_over} files, none of a kind that is known")
    pictures = size if any(FORMATS[name].needs_image for name in job.formats) else 0
    check_room(job.output, _ROOM + count * _A_DOCUMENT + pictures)
    return count


def _spooled(source: Source, work: Path) -> Source:
    """A document that can be read once only, as a file that processes share; any other as it is."""
    piped = source.path == STDIN
    if not piped and (source.error is not None or Path(source.path).is_file() or not Path(source.path).exists()):
        return source
    if Path(source.path).is_dir():
        return source
    target = work / f"{PARTIAL}stdin-{os.getpid()}-{abs(hash(source.name))}"
    with target.open("wb") as file:
        if piped:
            shutil.copyfileobj(sys.stdin.buffer, file)
        else:
            with Path(source.path).open("rb") as pipe:
                shutil.copyfileobj(pipe, file)
    return replace(source, path=str(target))


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """A list that signals to stop are put into as they come; after the second, KeyboardInterrupt is raised."""
    seen: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield seen
        return

    def stop(number: int, _: object) -> None:
        seen.append(number)
        if len(seen) > 1:
            raise KeyboardInterrupt("interrupted at once; the pages in work are lost, the same command goes on")

    before: dict[int, Callable[..., object] | int | None] = {
        number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
