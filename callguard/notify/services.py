"""What Apprise sends to: https://appriseit.com/. Importing this costs what importing Apprise costs."""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType, PersistentStoreMode

from callguard.domain.notices import Notice, NoticeKind

CONNECT_SECONDS = 2.0
READ_SECONDS = 3.0

TYPES = {
    NoticeKind.WARNING: NotifyType.WARNING,
    NoticeKind.TRIPPED: NotifyType.FAILURE,
    NoticeKind.CAPPED: NotifyType.FAILURE,
    NoticeKind.ARMED: NotifyType.SUCCESS,
    NoticeKind.PAUSED: NotifyType.WARNING,
    NoticeKind.RESUMED: NotifyType.INFO,
    NoticeKind.WAITING: NotifyType.WARNING,
    NoticeKind.STATE_LOST: NotifyType.FAILURE,
    NoticeKind.CPS: NotifyType.WARNING,
    NoticeKind.CAMPAIGN: NotifyType.INFO,
    NoticeKind.PROGRESS: NotifyType.INFO,
    NoticeKind.DONE: NotifyType.SUCCESS,
    NoticeKind.DENIED: NotifyType.FAILURE,
    NoticeKind.BLIND: NotifyType.FAILURE,
    NoticeKind.PROCESS: NotifyType.FAILURE,
    NoticeKind.DROPPED: NotifyType.WARNING,
}

# Apprise and its libraries log what they send, which holds secrets.
_TALKATIVE = ("apprise", "oauthlib", "requests_oauthlib")

_HTTP_ERROR = re.compile(r"error=(\d{3})\b")

# Without words for its own fields, Apprise leaves them out: https://appriseit.com/services/json/
_WEBHOOK_FIELDS = {"version": "", "title": "", "type": "", "attachments": "", "message": "text"}


def service_at(url: str) -> Callable[[Notice], str] | None:
    """Return what sends a notice to `url` and says why it was not taken; None if Apprise cannot."""
    _silence()
    asset = _asset()
    service: Any = Apprise.instantiate(url, asset=asset)
    if service is not None:
        return lambda notice: _send(service, asset, notice)
    if not url.lower().startswith(("http://", "https://")):
        return None
    webhook = _webhook(url)
    return lambda notice: _send(Apprise.instantiate(_filled(webhook, notice), asset=asset), asset, notice)


def _silence() -> None:
    for logger in map(logging.getLogger, _TALKATIVE):
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


def _asset() -> AppriseAsset:
    # Nothing is read from the disk (no plugins, no templates) and nothing written. It runs in our own thread.
    return AppriseAsset(
        app_id="CallGuard",
        app_desc="CallGuard",
        plugin_paths=[],
        storage_mode=PersistentStoreMode.MEMORY,
        allow_templates=False,
        async_mode=False,
        service_timeout=0,
        language="en",
    )


def _webhook(url: str) -> Mapping[str, Any]:
    """A URL as the parts of Apprise's JSON service; its own `jsons://` would take path and query apart."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return {
        "schema": "jsons" if parts.scheme == "https" else "json",
        "host": f"[{host}]" if ":" in host else host,
        "port": parts.port,
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "fullpath": (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        # Followed, a redirect would turn the POST into a GET.
        "redirect": "no",
        "cto": CONNECT_SECONDS,
        "rto": READ_SECONDS,
    }


def _filled(webhook: Mapping[str, Any], notice: Notice) -> dict[str, Any]:
    said = {"account": notice.account_sid, "kind": notice.kind.value, "time": _time(notice)}
    return {**webhook, "payload": {**_WEBHOOK_FIELDS, **said}}


def _send(service: Any, asset: AppriseAsset, notice: Notice) -> str:
    receivers = Apprise(asset=asset)
    receivers.add(service)
    result = receivers.notify(
        title=f"CallGuard {notice.kind.value}: {notice.account_sid}",
        # A webhook has the time in a field of its own.
        body=notice.text if getattr(service, "payload_extras", None) else f"{notice.text}\n{_time(notice)}",
        notify_type=TYPES.get(notice.kind, NotifyType.INFO),
        body_format=NotifyFormat.TEXT.value,
    )
    return "" if result else _problem(result)


def _problem(result: Any) -> str:
    """What may be told of a failure: Apprise's own words may hold the URL."""
    found = _HTTP_ERROR.search(" ".join(entry.message for entry in result.logs()))
    return f"HTTP {found[1]}" if found else "it could not be reached, or refused"


def _time(notice: Notice) -> str:
    moment = datetime.fromtimestamp(notice.at_ms / 1000, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
