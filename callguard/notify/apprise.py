"""The way to people."""

import time
from collections.abc import Sequence

from callguard.notify.receiver import PATIENCE_SECONDS, Receiver
from callguard.ports import CallGuardError, Notice

HELP = "https://appriseit.com/services/"


class UnknownReceiver(CallGuardError):
    """An entry of CALLGUARD_NOTIFY_URLS that nothing can be sent to."""


class AppriseNotifier:
    """Fulfils `Notifier` for the URLs of CALLGUARD_NOTIFY_URLS; without one, every notice counts as delivered.

    - A URL of Apprise's goes to that service, and so does the webhook URL of a chat service that Apprise
      recognises (Slack, Discord, Teams, …).
    - Any other `https://` or `http://` URL is posted JSON: `account`, `kind`, `text` and `time`.
    """

    def __init__(self, urls: Sequence[str]) -> None:
        """Prepare the receivers; nothing is sent yet.

        Raises:
            UnknownReceiver: names the entry and its scheme; the rest of it is secret.
        """
        self._receivers = [_receiver(number, url) for number, url in enumerate(urls, 1)]

    def deliver(self, notice: Notice) -> bool:
        """Offer the notice to all receivers at the same time; return whether all have it.

        It takes `PATIENCE_SECONDS` at most. The next try goes only to those that do not have it, as long as this
        process lives.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        for receiver in self._receivers:
            receiver.offer(notice)
        missing = [receiver for receiver in self._receivers if not receiver.has(notice, deadline)]
        if missing:
            return False
        for receiver in self._receivers:
            receiver.forget(notice)
        return True


def _receiver(number: int, url: str) -> Receiver:
    # Apprise takes a quarter of a second and 35 MB to load: only who sends something should pay for it.
    from callguard.notify.services import service_at

    scheme = url.partition("://")[0]
    name = f"CALLGUARD_NOTIFY_URLS, entry {number} ({scheme}://)"
    send = service_at(url)
    if send is None:
        raise UnknownReceiver(
            f"{name}: Apprise knows no such service, or a part is missing. Write it as {HELP} says, "
            "or https://… for a webhook that takes JSON"
        )
    return Receiver(name, send)
