"""Cancelling Twilio's calls, many at once. https://www.twilio.com/docs/voice/api/call-resource"""

from collections.abc import Mapping

from twilio.rest.api.v2010.account.call import CallContext

from callguard.config.accounts import Account
from callguard.domain.replies import CancelReply
from callguard.errors import TwilioRefused
from callguard.telephony.async_http_client import PooledAsyncHttpClient
from callguard.telephony.clients import CallLists
from callguard.telephony.replies import CANCEL_STATUS, OVER, gone_or_raised, reply_of, seen_in, translated


class TwilioCanceller:
    """Fulfils `CallCanceller`, each account with its own credentials.

    An async context manager; it belongs to the event loop on which it was entered.
    """

    def __init__(self, accounts: Mapping[str, Account], api_url: str, *, timeout: float = 5.0) -> None:
        """Nothing is sent yet. `timeout` is in seconds."""
        self._http_client = PooledAsyncHttpClient(timeout=timeout)
        self._calls = CallLists(accounts, api_url, self._http_client)

    async def __aenter__(self) -> "TwilioCanceller":
        """Open the pool of connections."""
        await self._http_client.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close it."""
        await self._http_client.__aexit__(*error)

    async def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        """Send `Status=canceled`; where Twilio says that the call is over, fetch the call.

        A 2xx alone proves no cancel: the status in the reply does.
        """
        context = self._calls[account_sid](call_sid)
        try:
            with translated():
                return reply_of(await context.update_async(status=CANCEL_STATUS))
        except TwilioRefused as error:
            if error.code != OVER:
                return gone_or_raised(error)
        return await _fetched(context)

    async def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        """Fetch the call; a call that Twilio does not know is gone."""
        try:
            return await _fetched(self._calls[account_sid](call_sid))
        except TwilioRefused as error:
            return gone_or_raised(error)


async def _fetched(context: CallContext) -> CancelReply:
    with translated():
        return seen_in(await context.fetch_async())
