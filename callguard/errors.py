"""What CallGuard raises on purpose. Settings have an error of their own (`config/errors.py`)."""


class CallGuardError(Exception):
    """The base of all errors that CallGuard raises on purpose."""


class NoRedisUrl(CallGuardError):
    """The settings name no Redis."""


class StoreUnavailable(CallGuardError):
    """Redis did not answer in time. The same call may be tried again: nothing counts twice."""


class TooManyCampaigns(CallGuardError):
    """No further campaign can be announced for the account."""


class TwilioUnavailable(CallGuardError):
    """Twilio did not answer, or answered 5xx. Whether the request was carried out is unknown."""


class TwilioThrottled(CallGuardError):
    """Twilio answered 429: the request was never processed.

    `retry_after` is in seconds, `concurrent` counts the requests that the account had under way; each if given.
    """

    def __init__(self, message: str, retry_after: float | None = None, concurrent: int | None = None) -> None:
        """Keep the pause that Twilio asked for, and what it said of the account's load."""
        super().__init__(message)
        self.retry_after = retry_after
        self.concurrent = concurrent


class TwilioRefused(CallGuardError):
    """Twilio answered 4xx: trying again cannot help. `code` is Twilio's, 0 if it gave none."""

    def __init__(self, message: str, code: int = 0, http_status: int = 0) -> None:
        """Keep Twilio's error code and the HTTP status."""
        super().__init__(message)
        self.code = code
        self.http_status = http_status

    @property
    def is_denial(self) -> bool:
        """True where Twilio does not accept our credentials, so that no other request will fare better."""
        return self.http_status in (401, 403)


class ServerNotFoundError(CallGuardError):
    """This machine has no Valkey or Redis server that we could start. Trying again cannot help."""


class ServerStartError(CallGuardError):
    """The embedded Valkey did not come up; the message ends with the last lines of its log."""


class DataDirInUseError(CallGuardError):
    """Another process keeps its data there. Trying again helps once that process has ended."""


class EssentialProgramError(CallGuardError):
    """A program that the others need never came up; the message names it and ends with its last output."""
