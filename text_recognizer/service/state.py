"""What a server process holds from its start to its end."""

from __future__ import annotations

from dataclasses import dataclass

from text_recognizer.recognition.bundle import available_cores
from text_recognizer.service.feedback import FeedbackStore
from text_recognizer.service.http.documents import DocumentReader
from text_recognizer.service.keys import ApiKeys
from text_recognizer.service.monitoring.recorder import FeatureRecorder
from text_recognizer.service.monitoring.store import FeatureStore
from text_recognizer.service.reading.comparisons import ComparisonStore
from text_recognizer.service.reading.registry_watcher import RegistryWatcher, named_models
from text_recognizer.service.reading.service import ReadingService
from text_recognizer.service.review.source import DecodedPages
from text_recognizer.service.review.store import ReviewStore
from text_recognizer.service.settings import Settings


@dataclass
class State:
    """The settings, the keys, the readers, what keeps their models up to date, and the stores of feedback, of features,
    of comparisons and of reviews (None where nothing is kept), with the pages that reviewers looked at last."""

    settings: Settings
    keys: ApiKeys
    reading: ReadingService
    documents: DocumentReader
    store: FeedbackStore | None
    features: FeatureStore | None
    recorder: FeatureRecorder
    comparisons: ComparisonStore | None
    watcher: RegistryWatcher
    reviews: ReviewStore | None
    decoded: DecodedPages

    @classmethod
    def start(cls, settings: Settings) -> State:
        """Load the models and open the store. Raises ValueError or OSError where a setting names something wrong."""
        keys = ApiKeys(settings.api_keys, settings.api_keys_file)
        cores = max(1, available_cores() // settings.workers)
        store = FeedbackStore(settings.feedback_database, settings.feedback_images) if settings.feedback else None
        watched = settings.feedback and settings.monitoring
        features = FeatureStore(settings.feedback_database) if watched else None
        recorder = FeatureRecorder(FeatureStore(settings.feedback_database) if watched else None)
        reviews = ReviewStore(settings.feedback_database, features, settings) if settings.feedback else None
        comparisons = ComparisonStore(settings.feedback_database) if watched and settings.candidate else None
        present = named_models(settings)
        reading = ReadingService(
            *present,
            settings.queue_pages,
            settings.readers or cores + 1,
            settings.threads or cores,
            settings.batch_lines,
            settings.batch_milliseconds / 1000,
            settings.language,
            settings.monitoring,
            settings.shadow_share,
            settings.canary_share,
        )
        watcher = RegistryWatcher(settings, reading, present, comparisons)
        documents = DocumentReader(settings, reading, store, recorder)
        decoded = DecodedPages()
        return cls(
            settings, keys, reading, documents, store, features, recorder, comparisons, watcher, reviews, decoded
        )

    def stop(self) -> None:
        """Finish what is in hand and let go of everything."""
        self.watcher.close()
        self.reading.close()
        self.recorder.close()
        for store in (self.store, self.features, self.comparisons, self.reviews):
            if store is not None:
                store.close()
