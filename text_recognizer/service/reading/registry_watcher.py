"""A server that reads with what is promoted: it looks at the registry now and then, and changes its models."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from text_recognizer.recognition.bundle import find_bundle
from text_recognizer.recognition.promotion import reading_bundle
from text_recognizer.recognition.registry import PRODUCTION, STAGES, RegistryError, current, registry_dir, stamp
from text_recognizer.service.logs import event
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.reading.comparisons import ComparisonStore
from text_recognizer.service.reading.service import ReadingService
from text_recognizer.service.reading.shadow import Shadow
from text_recognizer.service.settings import Settings

_AGAIN = 60.0  # seconds until a bundle that could not be loaded is tried again
_log = logging.getLogger("text_recognizer.models")


class RegistryWatcher:
    """Keeps the models of a reading service, and the candidate beside them, to what the settings name.

    What cannot be loaded is told in the log, in the metrics and by `problems`, and changes nothing: what read before
    reads on. `check` is called by one thread at a time. `close` it before the service.

    present: what the service was made with, as `named_models` gives it.
    """

    def __init__(
        self, settings: Settings, reading: ReadingService, present: tuple[str, str], store: ComparisonStore | None
    ) -> None:
        self._settings, self._reading, self._store = settings, reading, store
        self._names = {name for name in (settings.model, settings.detector, settings.candidate) if name in STAGES}
        self._present = present
        self._candidate: str | None = None
        self._seen: object = None
        self._was_promoted = False
        self._next_try = 0.0
        self.problems: list[str] = []
        self.check()

    @property
    def follows(self) -> bool:
        """Whether anything of what is read with may change."""
        return bool(self._names)

    def check(self) -> None:
        """Change the models where something else was promoted since the last check, which costs a look at a file."""
        seen = self._stamps()
        if seen == self._seen and not (self.problems and time.monotonic() >= self._next_try):
            return
        self._seen, problems = seen, list[str]()
        for part, change in (("model", self._change_present), ("candidate", self._change_candidate)):
            problems += self._attempt(part, change)
        self.problems, self._next_try = problems, time.monotonic() + _AGAIN

    def close(self) -> None:
        """End the shadow and let go of the candidate."""
        self._leave_candidate()

    def _stamps(self) -> object:
        """What changes with each promotion; where the registry cannot be looked at, why."""
        try:
            return [stamp(name) for name in sorted(self._names)]
        except OSError as error:
            return repr(error)

    def _attempt(self, part: str, change: Callable[[], bool]) -> list[str]:
        try:
            if change():
                metrics.MODEL_CHANGES.labels(part, "done").inc()
            failed = False
        except Exception as error:  # whatever it was, what reads now must go on
            metrics.MODEL_CHANGES.labels(part, "failed").inc()
            _log.error("the %s that was promoted cannot be loaded; what was there before goes on: %s", part, error)
            failed = True
        metrics.MODEL_FAILED.labels(part).set(failed)
        return [f"the {part} that was promoted cannot be loaded: the log says why"] if failed else []

    def _change_present(self) -> bool:
        wanted = named_models(self._settings)
        self._check_registry_stays()
        if wanted == self._present:
            return False
        models = self._reading.load(*wanted)
        try:
            models.try_out()
        except BaseException:
            models.close()
            raise
        before = self._reading.models
        self._reading.swap(models)
        self._present = wanted
        event(_log, "model changed", models=models.models_of(), before=before)
        return True

    def _check_registry_stays(self) -> None:
        """Raises RegistryError where production was there and is not: the registry is away, which is no promotion of
        the shipped bundles."""
        is_promoted = PRODUCTION in self._names and stamp(PRODUCTION) is not None
        if self._was_promoted and not is_promoted:
            raise RegistryError(f"{registry_dir() / PRODUCTION}.json is gone: put the registry back")
        self._was_promoted = is_promoted

    def _change_candidate(self) -> bool:
        """The candidate is what the setting names, unless that is what reads anyway, or nothing is there."""
        settings = self._settings
        wanted = self._named_candidate()
        if wanted == self._candidate:
            return False
        if wanted is None:
            self._leave_candidate()
            event(_log, "no candidate any more")
            return True
        models = self._reading.load(wanted, self._present[1])
        try:
            models.try_out()
            shadow = None
            if settings.shadow_share:
                shadow = Shadow(wanted, settings.language, self._reading.has_spare_core, self._store)
        except BaseException:
            models.close()
            raise
        self._leave_candidate()
        self._reading.shadow = shadow
        if settings.canary_share:
            self._reading.change_candidate(models)
        else:
            models.close()
        self._candidate = wanted
        event(_log, "candidate changed", models=models.models_of())
        return True

    def _named_candidate(self) -> str | None:
        name = self._settings.candidate
        if not name or (name in STAGES and current(name) is None):
            return None
        folder = reading_bundle(name, "lines")
        return None if find_bundle(folder).resolve() == find_bundle(self._present[0]).resolve() else folder

    def _leave_candidate(self) -> None:
        shadow, self._reading.shadow = self._reading.shadow, None
        if shadow is not None:
            shadow.close()
        self._reading.change_candidate(None)
        self._candidate = None


def named_models(settings: Settings) -> tuple[str, str]:
    """The bundles of lines and of the detector that the settings mean now. Raises RegistryError."""
    return reading_bundle(settings.model, "lines"), reading_bundle(settings.detector, "detector")
