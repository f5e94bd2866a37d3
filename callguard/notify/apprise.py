"""Sends notices to the receivers in CALLGUARD_NOTIFY_URLS."""

import time
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

from callguard.domain.notices import Delivery, Notice
from callguard.errors import CallGuardError
from callguard.notify.receiver import PATIENCE_SECONDS, Receiver

HELP = "https://appriseit.com/services/"


class UnknownReceiver(CallGuardError):
    """An entry of CALLGUARD_NOTIFY_URLS that nothing can be sent to."""


class AppriseNotifier:
    """Fulfils `Notifier` for the URLs of CALLGUARD_NOTIFY_URLS; without one, every notice counts as delivered.

    - A URL of Apprise's goes to that service, and so does the webhook URL of a chat service that Apprise
      recognises (Slack, Discord, Teams, …).
    - Any other `https://` or `http://` URL is posted JSON: `account`, `kind`, `text` and `time`.

    A wrong entry becomes a receiver that accepts nothing and says why, so that the others still work.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        """Nothing is loaded or sent yet."""
        self._urls = tuple(urls)

    @cached_property
    def _receivers(self) -> list[Receiver]:
        return [_receiver(number, url) for number, url in enumerate(self._urls, 1)]

    def demand_known(self) -> None:
        """Check that every receiver can be sent to.

        Raises:
            UnknownReceiver: names each entry that is none and its scheme; the rest of it is secret.
        """
        wrong = [f"{receiver.name}: {receiver.wrong}" for receiver in self._receivers if receiver.wrong]
        if wrong:
            raise UnknownReceiver("\n".join(wrong))

    def deliver(self, notice: Notice, taken_by: Collection[str] = ()) -> Delivery:
        """Offer the notice to all receivers at the same time that do not have it yet.

        It takes `PATIENCE_SECONDS` at most. A receiver is known by its place in the list and its scheme.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        asked = [receiver for receiver in self._receivers if receiver.key not in taken_by]
        for receiver in asked:
            receiver.offer(notice)
        have = [receiver for receiver in asked if receiver.has(notice, deadline)]
        taken = frozenset(taken_by) | {receiver.key for receiver in have}
        if len(have) < len(asked):
            return Delivery(False, taken)
        for receiver in self._receivers:
            receiver.forget(notice)
        return Delivery(True, taken)


def unknown_receivers(urls: Sequence[str]) -> Iterator[str]:
    """Yield a text for each wrong entry, as in `UnknownReceiver`."""
    try:
        AppriseNotifier(urls).demand_known()
    except UnknownReceiver as error:
        yield from str(error).splitlines()


def _receiver(number: int, url: str) -> Receiver:
    scheme = url.partition("://")[0]
    name, key = f"CALLGUARD_NOTIFY_URLS, entry {number} ({scheme}://)", f"{number}-{scheme}"
    try:
        # Apprise takes a quarter of a second and 35 MB to load, so it is loaded only where something is sent.
        from callguard.notify.services import service_at
    except Exception as error:
        return Receiver(name, None, key, f"Apprise cannot be loaded ({type(error).__name__}): install it anew")
    send = service_at(url)
    if send is not None:
        return Receiver(name, send, key)
    wrong = (
        f"Apprise knows no such service, or a part is missing. Write it as {HELP} says, "
        "or https://… for a webhook that takes JSON"
    )
    return Receiver(name, None, key, wrong)
