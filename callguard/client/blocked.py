"""The error that a blocked create raises."""

from twilio.base.exceptions import TwilioException

UNKNOWN = "unknown"


class CallsBlocked(TwilioException):  # type: ignore[misc]  # twilio ships no types
    """The guard does not allow this account to create calls; Twilio was not asked and no call exists.

    `account_sid` is the account, `state` the guard's word for it ("tripped", "draining", ...; "unknown" when the
    guard gave no answer and the client fails closed), `drain_seconds` how long its queue needs to empty, or None.
    """

    def __init__(self, account_sid: str, state: str, drain_seconds: float | None) -> None:
        # The plain arguments, so that the error survives pickling (multiprocessing, Celery).
        super().__init__(account_sid, state, drain_seconds)
        self.account_sid = account_sid
        self.state = state
        self.drain_seconds = drain_seconds

    def __str__(self) -> str:
        if self.state == UNKNOWN:
            return (
                f"No call was created: the guard has no answer for account {self.account_sid} and this client"
                ' fails closed. Check that the guard runs and knows the account, or use fail="open".'
            )
        return (
            f"No call was created: CallGuard blocks account {self.account_sid}"
            f" (state: {self.state}{self._drain()})."
            " Stop creating calls, look at the guard's page or `callguard status`, and go on when it is armed."
        )

    def _drain(self) -> str:
        return "" if self.drain_seconds is None else f"; its queue drains in about {self.drain_seconds:.0f} s"
