"""The store of tracked runs: MLflow, by default in a SQLite file in the folder of the runs; no account, no network.

Promoted bundles in MLflow's registry of models too, for those who look there.
"""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any

from text_recognizer.paths import runs_dir
from text_recognizer.recognition.registry import RegisteredBundle

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


def name_in_mlflow(bundle: RegisteredBundle, evidence: Any) -> str:
    """A new version of the registered model `text-recognizer-SLOT`, with the stage as its alias; a line that says so.

    The files stay in the folder of the registry; the version names it. Raises MlflowException.
    """
    client = mlflow_client()
    from mlflow.exceptions import MlflowException  # after that, which keeps MLflow quiet

    name = f"text-recognizer-{bundle.slot}"
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    tags = {"bundle": bundle.id, "identity": bundle.identity, "by": bundle.by, "suites": json.dumps(evidence["suites"])}
    version = client.create_model_version(name, bundle.path.as_uri(), tags=tags, description=bundle.reason)
    client.set_registered_model_alias(name, bundle.stage, version.version)
    return f"MLflow knows it as {name} version {version.version}, alias {bundle.stage}"
