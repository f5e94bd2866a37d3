"""The twilio library's clients."""

from twilio.http import HttpClient
from twilio.rest import Client
from twilio.rest.api.v2010.account import AccountContext
from twilio.rest.api.v2010.account.call import CallList

from callguard.config.accounts import Account


def calls_of(account: Account, api_url: str, http_client: HttpClient) -> CallList:
    """Return an account's Calls resource, spoken to with its own credentials at `api_url`."""
    return account_of(account, api_url, http_client).calls


def account_of(account: Account, api_url: str, http_client: HttpClient) -> AccountContext:
    """Return all of an account's resources, as `calls_of` does."""
    client = Client(account.sid, account.auth_tokens[0], http_client=http_client)
    client.api.base_url = api_url.rstrip("/")
    return client.api.v2010.accounts(account.sid)
