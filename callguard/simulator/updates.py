"""Changing a call: the rules of `POST Calls/{Sid}.json`.

https://www.twilio.com/docs/voice/api/call-resource#update-a-call-resource and
https://www.twilio.com/docs/api/errors/21220. What `canceled` does to a call in progress is not documented
beyond "will not affect"; the account's configuration chooses between 200 unchanged and 21220.
"""

from dataclasses import dataclass

from callguard.simulator.account import Account
from callguard.simulator.calls import Call, CallStatus
from callguard.simulator.creation import Form, first, is_web_address
from callguard.simulator.errors import ApiError, invalid, not_in_progress


@dataclass(frozen=True, slots=True)
class Update:
    """A request to end the call (`status`), or to move it to other TwiML.

    The TwiML is at `url`, fetched with `method`, or is `document` itself.
    """

    status: CallStatus | None
    url: str = ""
    method: str = "POST"
    document: str = ""


def read_update(form: Form) -> Update:
    """The change asked for: Status canceled or completed, Url, Twiml. Raises `ApiError` 400 for any other."""
    status = first(form, "Status")
    if status and status not in (CallStatus.CANCELED, CallStatus.COMPLETED):
        raise invalid("Status", status)
    url, document, method = first(form, "Url"), first(form, "Twiml"), first(form, "Method").upper() or "POST"
    if not (status or url or document):
        raise ApiError(400, 20001, "One of Status, Url or Twiml is required")
    if url and not is_web_address(url):
        raise ApiError(400, 21205, f"Url is not a valid URL: {url}")
    if method not in ("GET", "POST"):
        raise invalid("Method", method)
    return Update(CallStatus(status) if status else None, url, method, document)


def apply_update(account: Account, call: Call, update: Update, now: float) -> None:
    """Change the call, or leave it as it is where Twilio would. Raises `ApiError` 400/21220."""
    if call.ended:
        raise not_in_progress()
    if update.status is None:
        _redirect(account, call, now)
    elif call.status is not CallStatus.IN_PROGRESS:
        account.end(call, CallStatus.CANCELED, now)
    elif update.status is CallStatus.COMPLETED:
        account.end(call, CallStatus.COMPLETED, now)
    elif account.config.refuse_cancel_in_progress:
        raise not_in_progress()


def _redirect(account: Account, call: Call, now: float) -> None:
    """Take the call away from what it does; its new TwiML decides what it does next."""
    if call.status is not CallStatus.IN_PROGRESS:
        raise not_in_progress()
    account.hold.leave(call, now)
