"""The twilio library's clients."""

from collections.abc import Mapping

from twilio.http import HttpClient
from twilio.rest import Client
from twilio.rest.api.v2010.account import AccountContext
from twilio.rest.api.v2010.account.call import CallList

from callguard.config.accounts import Account


class CallLists(dict[str, CallList]):
    """Each account's Calls resource by SID, made when it is first asked for: a job speaks for one of thousands."""

    def __init__(self, accounts: Mapping[str, Account], api_url: str, http_client: HttpClient) -> None:
        """Keep what a client needs."""
        super().__init__()
        self._accounts, self._api_url, self._http_client = accounts, api_url, http_client

    def __missing__(self, account_sid: str) -> CallList:
        """Make it; twice at once does no harm."""
        made = self[account_sid] = calls_of(self._accounts[account_sid], self._api_url, self._http_client)
        return made


def calls_of(account: Account, api_url: str, http_client: HttpClient) -> CallList:
    """Return an account's Calls resource, spoken to with its own credentials at `api_url`."""
    return account_of(account, api_url, http_client).calls


def account_of(account: Account, api_url: str, http_client: HttpClient) -> AccountContext:
    """Return all of an account's resources, as `calls_of` does."""
    client = Client(account.sid, account.auth_tokens[0], http_client=http_client)
    client.api.base_url = api_url.rstrip("/")
    # The library would have TWILIO_EDGE and TWILIO_REGION rewrite any host, also that of a URL of one's own.
    client.edge = client.region = None
    return client.api.v2010.accounts(account.sid)
