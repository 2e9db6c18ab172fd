"""What people read and corrected, kept for as long as they agree: in SQLite or PostgreSQL, images beside it."""

from text_recognizer.service.feedback.records import (
    Correction,
    DamagedImage,
    FeedbackUnavailable,
    InvalidCorrection,
    NewCorrection,
    ReadingSummary,
    Statistics,
    StoredPage,
    StoredReading,
    UnknownReading,
)
from text_recognizer.service.feedback.store import FeedbackStore

__all__ = [
    "Correction",
    "DamagedImage",
    "FeedbackStore",
    "FeedbackUnavailable",
    "InvalidCorrection",
    "NewCorrection",
    "ReadingSummary",
    "Statistics",
    "StoredPage",
    "StoredReading",
    "UnknownReading",
]
