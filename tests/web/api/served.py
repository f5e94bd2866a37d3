"""The API on a real store, and what stands in for the rest of CallGuard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask

from callguard.cancel.needs import Telephony
from callguard.cancel.single_cancel import SingleCancel
from callguard.config.accounts import Account
from callguard.config.api_keys import ApiKey, Role
from callguard.detect.campaigns import AnnouncedCampaigns
from callguard.domain.calls import CallEvent
from callguard.domain.policy import Mode, Policy
from callguard.domain.results import ReportResult, ReportSource
from callguard.domain.sources import Source
from callguard.errors import StoreUnavailable
from callguard.store.call_tracker import RedisCallTracker
from callguard.store.campaigns import RedisCampaigns
from callguard.store.incidents import RedisIncidentStore
from callguard.store.readings import RedisReadings
from callguard.store.reports import RedisReports
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.http_client import PooledHttpClient
from callguard.web.api import api
from callguard.web.api.account_routes import accounts
from callguard.web.api.campaign_routes import CampaignRoutes, campaigns
from callguard.web.api.cancel_routes import cancels
from callguard.web.api.refusals import Refusals
from callguard.web.api.report_routes import ReportRoutes, reports
from tests.conftest import Store
from tests.frozen_clock import FrozenClock
from tests.outbox import Outbox

SID, OBSERVED_SID, UNKNOWN_SID = "AC" + "a" * 32, "AC" + "b" * 32, "AC" + "c" * 32
FROM, OTHER_FROM, TO, PROTECTED = "+15550001111", "+15550003333", "+15550002222", "+15550009999"
POLICY = Policy(cps=2.0, never_cancel=(PROTECTED,))
KEYS = {role: ApiKey(f"the {role.value}", role, f"key-of-{role.value}") for role in Role}


@dataclass
class Services:
    """Real parts of the store; what is reported goes to it without a guard that acts. `is_down` fails reports.

    Without a `telephony` of its own, Twilio is at an address where nobody answers.
    """

    clock: FrozenClock
    tracker: RedisCallTracker
    incidents: RedisIncidentStore
    readings: RedisReadings
    campaigns: RedisCampaigns
    reports: RedisReports
    api_keys: Sequence[ApiKey] = tuple(KEYS.values())
    public_url: str = "http://127.0.0.1:8124"
    notices: Outbox = field(default_factory=Outbox)
    down: frozenset[str] = frozenset()
    reported: list[tuple[str, list[CallEvent]]] = field(default_factory=list)
    remembered: list[str] = field(default_factory=list)
    accounts: Mapping[str, Account] = field(
        default_factory=lambda: {
            SID: Account(SID, ("token",), policy=POLICY),
            OBSERVED_SID: Account(OBSERVED_SID, ("other",), policy=Policy(mode=Mode.OBSERVE)),
        }
    )

    telephony: Telephony | None = None

    @property
    def single_cancel(self) -> SingleCancel:
        telephony = self.telephony or TwilioCalls(self.accounts, "http://127.0.0.1:9", PooledHttpClient())
        return SingleCancel(self.accounts, telephony, self.tracker, self.clock, self._count)

    def _count(self, account: Account, events: Sequence[CallEvent]) -> None:
        self.tracker.observe(account.sid, events, account.policy, self.clock.now_ms(), Source.REPORT)

    def take(self, account: Account, events: Sequence[CallEvent], reporter: ReportSource) -> int:
        assert reporter is ReportSource.CLIENT
        if account.sid in self.down:
            raise StoreUnavailable("no answer")
        self.reported.append((account.sid, list(events)))
        return self.reports.note(account.sid, events, account.policy).counted

    def list_reported(self) -> None:
        """Let Twilio's list show all that was reported: only then does it count."""
        now_ms = self.clock.now_ms()
        for sid, events in self.reported:
            self.tracker.observe(sid, events, self.accounts[sid].policy, now_ms, Source.POLL)

    def refuse(self, account_sid: str, reporter: ReportSource, result: ReportResult) -> None:
        if account_sid in self.down:
            raise StoreUnavailable("no answer")
        self.tracker.count(account_sid, f"reports:{reporter.value}:{result.value}")

    def counted(self, name: str, account_sid: str = SID) -> float:
        """Return a counter since ever."""
        reading = self.readings.read(account_sid, self.accounts[account_sid].policy, self.clock.now_ms())
        return reading.totals.get(name, 0)

    def remember(self, account_sid: str) -> bool:
        self.remembered.append(account_sid)
        return True

    def app(self, refusals: Refusals | None = None) -> Flask:
        """Return an app that has the API and a page beside it."""
        campaigns_ = AnnouncedCampaigns(self.campaigns, self.notices, self, self.clock)
        routes = [
            *accounts(self.accounts, self.readings, self.incidents, self.tracker, self.clock),
            *campaigns(CampaignRoutes(self.accounts, campaigns_, self.clock)),
            *reports(ReportRoutes(self.accounts, self, self.clock)),
            *cancels(self.single_cancel),
        ]
        refusals = refusals or Refusals(self.clock, self.notices)
        app = Flask("test", static_folder=None)
        app.config["MAX_CONTENT_LENGTH"] = 16 * 1024
        app.register_blueprint(api(routes, self.api_keys, self.public_url, refusals))
        app.add_url_rule("/page", "page", lambda: "a page")
        return app

    def client(self, role: Role | None = Role.OPERATOR) -> Any:
        """Return a client that sends the key of a role. It is not typed, as the JSON of answers is not."""
        client = self.app().test_client()
        if role is not None:
            client.environ_base["HTTP_X_API_KEY"] = KEYS[role].key
        return client


def serve(store: Store, clock: FrozenClock, **changes: Any) -> Services:
    """Return the services on a store."""
    return Services(
        clock, store.tracker, store.incidents, store.readings, store.campaigns, store.reports, **changes
    )


def call_sid(number: int) -> str:
    """Return the SID of one of many calls."""
    return f"CA{number:032x}"


def reported(number: int = 1, /, **changes: Any) -> dict[str, Any]:
    """Return a call as Twilio answers its creation."""
    usual = {
        "sid": call_sid(number),
        "account_sid": SID,
        "status": "queued",
        "date_created": None,
        "queue_time": "1000",
        "from": FROM,
        "to": TO,
        "direction": "outbound-api",
    }
    return {**usual, **changes}
