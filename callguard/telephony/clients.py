"""The twilio library's clients."""

from collections.abc import Mapping

from twilio.http import HttpClient
from twilio.rest import Client
from twilio.rest.api.v2010.account import AccountContext
from twilio.rest.api.v2010.account.call import CallList

from callguard.config.accounts import Account

# The library would let TWILIO_REGION and TWILIO_EDGE change the host of any URL; where they are to be followed,
# the settings have done so. An empty mapping would make it read the environment.
_NO_ENVIRONMENT = {"TWILIO_REGION": "", "TWILIO_EDGE": ""}


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
    """Return an account's Calls resource, spoken to with its own credentials at its own URL, or at `api_url`."""
    return account_of(account, api_url, http_client).calls


def account_of(account: Account, api_url: str, http_client: HttpClient) -> AccountContext:
    """Return all of an account's resources, as `calls_of` does."""
    user, password = account.rest_credentials
    client = Client(user, password, account.sid, http_client=http_client, environment=_NO_ENVIRONMENT)
    client.api.base_url = (account.api_url or api_url).rstrip("/")
    return client.api.v2010.accounts(account.sid)
