"""Settings of the server, from environment variables that begin with TEXT_RECOGNIZER_.

docs/serve.md has them in one table, made from the descriptions here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from text_recognizer.service.feedback.records import feedback_database, feedback_images
from text_recognizer.service.fetching import UrlPolicy

_Names = Annotated[list[str], NoDecode]  # comma-separated, not JSON
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Settings(BaseSettings):
    """See the descriptions of the fields; a wrong value is refused at the start with the name of its variable."""

    model_config = SettingsConfigDict(env_prefix="TEXT_RECOGNIZER_", extra="ignore")

    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on; 0.0.0.0 for every interface")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 for a free one")
    workers: int = Field(1, ge=1, le=256, description="Processes, each with its own copy of the models")
    model: str = Field("lines", description="Line recogniser: a shipped bundle's name, a folder, or production")
    language: str = Field("auto", description="Language model: a shipped bundle's name, a folder, none, or auto")
    detector: str = Field("auto", description="Line detector: a shipped bundle's name, a folder, production, or auto")
    model_seconds: float = Field(5.0, gt=0, description="Seconds from one look for a new promotion to the next")
    candidate: str = Field(
        "", description="Line recogniser to try beside: staging, a name or a folder; none by default"
    )
    shadow_share: float = Field(0.1, ge=0, le=1, description="Share of requests whose lines the candidate reads again")
    canary_share: float = Field(0.0, ge=0, le=1, description="Share of requests that the candidate answers")
    readers: int = Field(0, ge=0, le=256, description="Pages read at the same time by a worker; 0: one more than cores")
    threads: int = Field(
        0,
        ge=0,
        le=256,
        description="Threads of a run of a network, or lines read at once where each has its own run; 0: one a core",
    )
    queue_pages: int = Field(64, ge=1, description="Pages waiting or in hand a worker, beyond which the answer is 503")
    batch_lines: int = Field(16, ge=1, le=256, description="Lines that the recogniser takes together at most")
    batch_milliseconds: float = Field(
        5.0, ge=0, le=1000, description="Longest wait of a line for others of its bucket, where lines share a run"
    )
    max_request_bytes: int = Field(50_000_000, ge=1024, description="Size of a request's body")
    max_pixels: int = Field(60_000_000, ge=1000, description="Pixels of an image or page")
    max_pages: int = Field(100, ge=1, description="Pages of a document, and documents of a batch")
    pdf_dpi: int = Field(200, ge=50, le=600, description="Resolution at which pages of a PDF are rendered")
    request_seconds: float = Field(
        30.0, gt=0, description="Time a client has to send its request, and a second more for every 50 kB of it"
    )
    drain_seconds: int = Field(30, ge=0, description="Time that requests in hand have when the server stops")
    image_url: UrlPolicy = Field(
        UrlPolicy.off, description="Whether `image_url` is fetched: off, public (public addresses only), any"
    )
    image_url_seconds: float = Field(10.0, gt=0, description="Time for fetching an `image_url`")
    api_keys: _Names = Field([], description="Keys as name:SHA-256, comma-separated; none: everyone may ask")
    api_keys_file: Path | None = Field(None, description="A file with a key as name:SHA-256 a line")
    reviewers: _Names = Field(
        [], description="Names of keys that may review all readings with consent, comma-separated; others their own"
    )
    cors_origins: _Names = Field([], description="Other sites whose pages may call the API, comma-separated; * for all")
    allowed_hosts: _Names = Field(
        [],
        description="Host names that requests may name, comma-separated; by default loopback's on loopback, else all",
    )
    web: bool = Field(True, description="Whether the web page is served")
    feedback: bool = Field(True, description="Whether readings are kept on request, and corrections taken")
    feedback_database: str = Field(default_factory=feedback_database, description="SQLite or PostgreSQL, as a URL")
    feedback_images: str = Field(default_factory=feedback_images, description="Folder or fsspec URL of kept images")
    retention_days: int = Field(30, ge=0, le=36_500, description="Days until readings without consent are deleted")
    monitoring: bool = Field(True, description="Whether features of readings, no content, are recorded; see monitoring")
    monitoring_days: int = Field(90, ge=1, le=36_500, description="Days until features and checks are deleted")
    drift_minutes: float = Field(60.0, ge=0, description="Minutes from one check for drift to the next; 0: none")
    drift_hours: float = Field(24.0, gt=0, description="Hours of readings that a check looks at")
    drift_reference: str = Field("auto", description="Reference: a file, or auto: your own, else that of the model")
    drift_readings: int = Field(50, ge=20, description="Readings that a window must have for a verdict")
    drift_level: float = Field(0.001, gt=0, lt=1, description="Chance of a false alarm of a check")
    drift_cool_down_hours: float = Field(24.0, ge=0, description="Hours until the same drift is announced again")
    alert_urls: _Names = Field(
        [], repr=False, description="Where alerts go: Apprise URLs, comma-separated; see monitoring"
    )
    public_url: str | None = Field(None, description="Address of this server as people reach it, for links in alerts")
    log_format: Literal["json", "text"] = Field("text", description="Of the log on stderr")

    @field_validator("api_keys", "reviewers", "cors_origins", "allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("alert_urls", mode="before")
    @classmethod
    def _split_urls(cls, value: object) -> object:
        """At commas and spaces before a URL: addresses within one may have commas between them."""
        parts = re.split(r"[\s,]+(?=\w+://)", value) if isinstance(value, str) else []
        return [part.strip(", \t\r\n") for part in parts if part.strip(", \t\r\n")] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _local_names(self) -> Settings:
        """A server on loopback answers to loopback's names only, against DNS rebinding."""
        if not self.allowed_hosts:
            self.allowed_hosts = ["127.0.0.1", "localhost", "[::1]"] if self.host in _LOOPBACK else ["*"]
        return self


@contextmanager
def explained_settings() -> Iterator[None]:
    """Turn pydantic's errors into a ValueError that names the environment variables."""
    try:
        yield
    except ValidationError as error:
        wrong = "; ".join(
            f"TEXT_RECOGNIZER_{'_'.join(str(part) for part in e['loc']).upper()}: {e['msg']}" for e in error.errors()
        )
        raise ValueError(wrong) from error
