"""The store of tracked runs: MLflow, by default in a SQLite file in the folder of the runs; no account, no network."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from text_recognizer.learning.data.locations import runs_dir

if TYPE_CHECKING:
    from mlflow import MlflowClient


def store_uri() -> str:
    """The MLflow store: $MLFLOW_TRACKING_URI, or a SQLite file in the folder of the runs."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{runs_dir().resolve() / 'mlflow.db'}"


def mlflow_client() -> MlflowClient:
    """A client of the store. Quiet, and without MLflow's reports of its use to its makers."""
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "GIT_PYTHON_REFRESH": "quiet",
    }.items():
        os.environ.setdefault(name, value)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    from mlflow import MlflowClient

    if store_uri().startswith("sqlite"):
        runs_dir().mkdir(parents=True, exist_ok=True)
    return MlflowClient(store_uri())
