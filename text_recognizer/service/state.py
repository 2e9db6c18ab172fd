"""What a server process holds from its start to its end."""

from __future__ import annotations

from dataclasses import dataclass

from text_recognizer.recognition.bundle import available_cores
from text_recognizer.service.documents import DocumentReader
from text_recognizer.service.feedback import FeedbackStore
from text_recognizer.service.keys import ApiKeys
from text_recognizer.service.reading import ReadingService
from text_recognizer.service.settings import Settings


@dataclass
class State:
    """The settings, the keys, the readers and the feedback store (None where nothing is kept)."""

    settings: Settings
    keys: ApiKeys
    reading: ReadingService
    documents: DocumentReader
    store: FeedbackStore | None

    @classmethod
    def start(cls, settings: Settings) -> State:
        """Load the models and open the store. Raises ValueError or OSError where a setting names something wrong."""
        keys = ApiKeys(settings.api_keys, settings.api_keys_file)
        cores = max(1, available_cores() // settings.workers)
        store = FeedbackStore(settings.feedback_database, settings.feedback_images) if settings.feedback else None
        reading = ReadingService(
            settings.model,
            settings.detector,
            settings.queue_pages,
            settings.readers or cores + 1,
            settings.threads or cores,
            settings.batch_lines,
            settings.batch_milliseconds / 1000,
            settings.language,
        )
        return cls(settings, keys, reading, DocumentReader(settings, reading, store), store)

    def stop(self) -> None:
        """Finish what is in hand and let go of everything."""
        self.reading.close()
        if self.store is not None:
            self.store.close()
