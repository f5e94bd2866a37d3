"""`/api/accounts`: how the accounts stand, and the gate."""

from collections.abc import Mapping

from flask import Response

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.domain.incidents import Incident
from callguard.domain.readings import AccountReading
from callguard.domain.unqueued import RECENT
from callguard.store.call_tracker import RedisCallTracker
from callguard.store.incidents import RedisIncidentStore
from callguard.store.readings import RedisReadings
from callguard.web.api.account_views import (
    AccountDetail,
    AccountList,
    Gate,
    detail_of,
    gate_of,
    view_of,
)
from callguard.web.api.error_answers import BASE_PATH
from callguard.web.api.routes import Route, answer, known_account

ACCOUNTS_PATH = f"{BASE_PATH}/accounts"
ACCOUNT_PATH = f"{ACCOUNTS_PATH}/<sid>"


def accounts(
    guarded: Mapping[str, Account],
    readings: RedisReadings,
    incidents: RedisIncidentStore,
    tracker: RedisCallTracker,
    clock: Clock,
) -> list[Route]:
    """Return the routes that read the `guarded` accounts."""

    def list_accounts() -> Response:
        views = [view_of(account, *read(account)) for account in guarded.values()]
        return answer(AccountList(accounts=views))

    def get_account(sid: str) -> Response:
        account = known_account(guarded, sid)
        return answer(detail_of(account, *read(account), incidents.recent(sid, RECENT)))

    def ask_gate(sid: str) -> Response:
        account = known_account(guarded, sid)
        return answer(gate_of(tracker.snapshot(sid, clock.now_ms()), account.policy))

    def read(account: Account) -> tuple[AccountReading, Incident | None]:
        reading = readings.read(account.sid, account.policy, clock.now_ms())
        return reading, incidents.current(account.sid)

    return [
        Route(
            name="list_accounts",
            method="GET",
            path=ACCOUNTS_PATH,
            tag="accounts",
            summary="How every guarded account stands.",
            view=list_accounts,
            reply=AccountList,
        ),
        Route(
            name="get_account",
            method="GET",
            path=ACCOUNT_PATH,
            tag="accounts",
            summary="How an account stands.",
            view=get_account,
            reply=AccountDetail,
            refusals=(404,),
        ),
        Route(
            name="ask_gate",
            method="GET",
            path=f"{ACCOUNT_PATH}/gate",
            tag="accounts",
            summary="Whether calls should be created now. Cheap: ask before each call.",
            view=ask_gate,
            reply=Gate,
            refusals=(404,),
            for_reporters=True,
        ),
    ]
