"""Promoted bundles in MLflow's registry of models too, for those who look there."""

from __future__ import annotations

import json
from typing import Any

from text_recognizer.learning.experiments.store import mlflow_client
from text_recognizer.recognition.registry import RegisteredBundle


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
