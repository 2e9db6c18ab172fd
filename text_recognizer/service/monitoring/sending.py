"""Sending alerts by Apprise: mail, Slack, webhooks and some hundred other receivers, each named by a URL.

What is due lies in the database, so that nothing is lost where a receiver is away or the server ends. A thread of its
own sends it: nothing here may delay or break an answer.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from text_recognizer.service.feedback.records import utc_now
from text_recognizer.service.logs import event
from text_recognizer.service.monitoring import metrics
from text_recognizer.service.monitoring.alerts import FAILED, LONGEST_WAIT, SENT, WAITING, Delivery, DeliveryStore
from text_recognizer.service.monitoring.store import FeatureStore, StoredCheck
from text_recognizer.service.settings import Settings

_TOO_OLD = timedelta(hours=24)  # an alert that nobody could be told of for so long is news no more
_LEASE = timedelta(minutes=2)  # that an attempt may take before another process takes it for broken off
_SECONDS = 30  # for one receiver
_log = logging.getLogger("text_recognizer.monitoring")


@dataclass(frozen=True)
class Patience:
    """How often a receiver that is away is tried: first after so many seconds, each time after twice as many, at most
    an hour; after so many attempts the alert counts as failed. By default that takes three hours."""

    first_seconds: float = 30.0
    attempts: int = 10

    def wait(self, attempts: int) -> timedelta:
        """How long to wait after so many attempts."""
        return min(LONGEST_WAIT, timedelta(seconds=self.first_seconds) * 2 ** (attempts - 1))


class Targets:
    """Receivers by Apprise URLs. Raises ValueError, without the URL, which holds secrets, where one is none, and where
    Apprise is not installed."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._receivers: dict[str, Any] = {}
        if not urls:
            return
        try:
            import apprise
        except ModuleNotFoundError as error:
            raise ValueError('sending alerts needs Apprise: pip install "text-recognizer[alerts]"') from error
        told = logging.getLogger("apprise")  # of URLs too, and with them of secrets: nobody is to hear it
        told.propagate, told.handlers = False, [logging.NullHandler()]
        for number, url in enumerate(urls, start=1):
            receiver = apprise.Apprise()
            if not receiver.add(url) or len(receiver) != 1:
                raise ValueError(f"number {number} of {len(urls)} is no URL that Apprise knows, or lacks a part")
            self._receivers[self._name(receiver[0].url(privacy=True))] = receiver

    @property
    def names(self) -> list[str]:
        """The receivers, as they may be shown: scheme and host, where Apprise does not take the host for a secret."""
        return list(self._receivers)

    def send(self, name: str, title: str, body: str) -> str | None:
        """Send to one receiver; returns None where it was taken, else why not."""
        try:
            result = self._receivers[name].notify(title=title, body=body, notify_type="warning", timeout=_SECONDS)
        except Exception as error:  # of any of a hundred services
            return f"an error of Apprise: {type(error).__name__}"
        return None if result else _reason(result)

    def _name(self, masked: str) -> str:
        parts = urlsplit(masked)
        name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:190]
        alike = sum(known.partition(" ")[0] == name for known in self._receivers)
        return f"{name} ({alike + 1})" if alike else name


def _reason(result: Any) -> str:
    """Why it was not sent: the status alone, since messages of Apprise may hold more than everybody should see."""
    told = " ".join(str(entry) for service in result for attempt in service for entry in attempt)
    status = re.search(r"error=(\d{3})\b", told)
    return f"it answered {status[1]}" if status else "it cannot be reached, or does not take the message"


class AlertSender:
    """Sends the alerts of a database. link: address of the page that shows more; empty where it is not known."""

    def __init__(
        self, url: str, targets: Targets, link: str = "", patience: Patience | None = None, every: float = 10.0
    ) -> None:
        self._targets, self._link, self._patience, self._every = targets, link, patience or Patience(), every
        self._features, self._deliveries = FeatureStore(url), DeliveryStore(url)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="alerts", daemon=True)

    @classmethod
    def of(cls, settings: Settings) -> AlertSender | None:
        """The sender that settings ask for, not started. Raises ValueError where a URL is none."""
        if not (settings.alert_urls and settings.feedback and settings.monitoring):
            return None
        return cls(settings.feedback_database, Targets(settings.alert_urls), monitor_link(settings))

    def start(self) -> None:
        """Begin to send in the background."""
        self._thread.start()

    def close(self) -> None:
        """End soon. An attempt in hand is not waited for: where it fails, the next start makes another."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(2.0)
        if not self._thread.is_alive():
            self._features.close()
            self._deliveries.close()

    def purge(self, days: int) -> None:
        """Delete what was sent, or given up, more than so many days ago."""
        self._deliveries.purge(days)

    def send_now(self) -> dict[str, str | None]:
        """Send what is due, in this thread, and end; returns receiver -> why it did not take it, None where it did."""
        found: dict[str, str | None] = {}
        try:
            for delivery, error in self.send_due():
                found[delivery.target] = found.get(delivery.target) or error  # of several alerts, one may have failed
            return found
        finally:
            self.close()

    def send_due(self, now: datetime | None = None) -> list[tuple[Delivery, str | None]]:
        """Send what is due now; returns the attempts, each with its error. Raises FeedbackUnavailable."""
        began = now or utc_now()
        alerts = {check.id: check for check in self._features.checks(limit=20, alerts_only=True)}
        fresh = [check.id for check in alerts.values() if check.created > began - _TOO_OLD]
        self._deliveries.plan(fresh, self._targets.names, began)
        tried = []
        for delivery in self._deliveries.due(began):
            if self._ended.is_set() or not self._deliveries.claim(delivery, (now or utc_now()) + _LEASE):
                continue
            tried.append((delivery, self._try(delivery, alerts, now)))
        return tried

    def _try(self, delivery: Delivery, alerts: Mapping[int, StoredCheck], now: datetime | None) -> str | None:
        attempts = delivery.attempts + 1
        error: str | None
        if delivery.target not in self._targets.names:
            state, error = FAILED, "it is no receiver any more"
        elif delivery.check not in alerts:
            state, error = FAILED, "the alert is no longer kept"
        else:
            error = self._targets.send(delivery.target, *message(alerts[delivery.check], self._link))
            state = SENT if error is None else WAITING if attempts < self._patience.attempts else FAILED
        metrics.ALERTS.labels("retried" if state == WAITING else state).inc()
        event(_log, f"alert {state}", to=delivery.target, attempts=attempts, reason=error)
        moment = now or utc_now()
        self._deliveries.settle(delivery, state, error, moment, moment + self._patience.wait(attempts))
        return error

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                self.send_due()
            except Exception as error:  # the thread must live: what could not be sent waits in the database
                _log.warning("alerts cannot be sent now: %s", error)
            self._ended.wait(self._every)


def message(check: StoredCheck, link: str) -> tuple[str, str]:
    """Title and text of an alert."""
    features = ", ".join(check.state.features[:3]) or "the readings"
    more = ", ..." if len(check.state.features) > 3 else ""
    parts = [check.text or "", f"Distributions and readings: {link}" if link else ""]
    return f"Text Recognizer: drift {check.alert} ({features}{more})", "\n\n".join(part for part in parts if part)


def monitor_link(settings: Settings) -> str:
    """The address of the page /monitor, as people reach it; empty where nobody said and the server listens to all."""
    if not settings.web:
        return ""
    if settings.public_url:
        return f"{settings.public_url.rstrip('/')}/monitor"
    anywhere = settings.host in ("0.0.0.0", "::", "") or not settings.port
    return "" if anywhere else f"http://{settings.host}:{settings.port}/monitor"
