"""How many callers are on hold, read now and then, for people to see beside the rate queue."""

from callguard.config.accounts import Account
from callguard.domain.hold_queues import shown_sizes
from callguard.domain.snapshot import Snapshot
from callguard.live.needs import HoldQueueSizes, LiveTelephony

READ_SECONDS = 15.0


class HoldQueuesTask:
    """Reads the hold queues of one account. What can no longer be read is shown for a minute."""

    every_seconds = READ_SECONDS

    def __init__(self, account: Account, telephony: LiveTelephony, board: HoldQueueSizes) -> None:
        """Keep the ports."""
        self._account = account
        self._telephony = telephony
        self._board = board

    def wants(self, snapshot: Snapshot) -> bool:  # noqa: ARG002  (whatever the state, people look)
        """Return whether the operator wants to see them."""
        return self._account.policy.hold_queues

    def __call__(self, snapshot: Snapshot) -> None:  # noqa: ARG002
        """Read and show them.

        Raises:
            StoreUnavailable, TwilioUnavailable, TwilioThrottled, TwilioRefused: they are read again later.
        """
        queues = self._telephony.hold_queues(self._account.sid)
        self._board.show(self._account.sid, shown_sizes(queues))
