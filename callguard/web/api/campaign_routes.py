"""`/api/accounts/<sid>/campaigns`: announced campaigns."""

import logging
import re
import secrets
from collections.abc import Iterable, Iterator

from flask import Response, g, request

from callguard.config.accounts import Account
from callguard.domain.campaign_calls import CampaignCalls
from callguard.domain.campaigns import Campaign
from callguard.domain.notices import Notice
from callguard.domain.numbers import masked
from callguard.errors import StoreUnavailable, TooManyCampaigns
from callguard.watch.housekeeping import beginning, ending, once_for
from callguard.web.api.account_routes import ACCOUNT_PATH
from callguard.web.api.campaign_views import CampaignList, EndedCampaign, NewCampaign, ReleasedCalls, view_of
from callguard.web.api.error_answers import Refused, unavailable
from callguard.web.api.json_bodies import BadBody, checked, read_json
from callguard.web.api.routes import Route, answer, known_account
from callguard.web.api.services import ApiServices

MAX_BODY_BYTES = 16 * 1024
CAMPAIGNS_PATH = f"{ACCOUNT_PATH}/campaigns"

_ID = re.compile("[0-9a-f]{8}")
_log = logging.getLogger(__name__)


class CampaignRoutes:
    """Lists, announces and ends campaigns."""

    def __init__(self, services: ApiServices) -> None:
        """Keep the services."""
        self._services = services

    def show(self, sid: str) -> Response:
        """Answer with the campaigns of the last 30 days."""
        known_account(self._services, sid)
        return self._answer(self._services.campaigns.campaigns(sid))

    def announce(self, sid: str) -> Response:
        """Announce a campaign for each of the numbers that were given, or one for every number: all or none."""
        announced = list(self._read(known_account(self._services, sid)))
        try:
            self._services.campaigns.announce(sid, *announced)
        except StoreUnavailable:
            # Not to be repeated blindly: a second campaign would let as many calls pass again.
            ids = ", ".join(c.id for c in announced)
            advice = f"see with GET whether the campaigns {ids} are there, before you send them again"
            raise unavailable(f"Redis did not answer in time; {advice}") from None
        except TooManyCampaigns as error:
            raise Refused(409, "too_many_campaigns", str(error)) from None
        for campaign in announced:
            self._tell(beginning(sid, campaign))
        return self._answer(announced, 201)

    def end(self, sid: str, campaign_id: str) -> Response:
        """End a campaign; with `?release=true` its queued calls count as any do."""
        known_account(self._services, sid)
        now_ms, ended = self._services.clock.now_ms(), None
        book = self._services.campaigns
        calls = book.calls_of(sid, campaign_id) if request.args.get("release") == "true" else None
        if _ID.fullmatch(campaign_id):
            ended = book.end_campaign(sid, campaign_id, now_ms)
        if ended is None:
            message = "the account has no campaign with this id; GET the campaigns for those that it has"
            raise Refused(404, "unknown_campaign", message)
        released = self._release(sid, campaign_id, calls, now_ms) if calls is not None else None
        self._tell(ending(sid, ended), once=once_for(ended))
        return answer(EndedCampaign(**dict(view_of(ended, now_ms)), released=released))

    def _release(self, sid: str, campaign_id: str, calls: CampaignCalls, now_ms: int) -> ReleasedCalls:
        with_shared = request.args.get("shared") == "true"
        released = calls.released(with_shared=with_shared)
        return ReleasedCalls(
            calls=self._services.campaigns.release(sid, campaign_id, released, now_ms),
            left=0 if with_shared else len(calls.shared),
            shared_with=[] if with_shared else [one.id for one in calls.shared_with],
        )

    def _read(self, account: Account) -> Iterator[Campaign]:
        now_ms = self._services.clock.now_ms()
        try:
            new = checked(NewCampaign, read_json(request, MAX_BODY_BYTES), now_ms)
        except BadBody as bad:
            message = "the campaign cannot be announced as it is written; errors says why"
            raise Refused(400, "bad_campaign", message, bad.problems) from None
        for sender in new.senders or ("",):
            yield Campaign(
                id=secrets.token_hex(4),
                calls=new.calls,
                came=0,
                sender=account.hasher.sender(sender),
                sender_shown=masked(sender) if sender else "",
                starts_ms=now_ms,
                until_ms=new.until_ms,
                announced_by=g.caller.name,
            )

    def _tell(self, notice: Notice, *, once: str = "") -> None:
        """Post a notice. What it is about has happened, so the answer does not hang on it."""
        try:
            self._services.notices.post(notice, once=once)
        except StoreUnavailable:
            _log.warning("Redis did not answer, so nobody was told: %s", notice.text)

    def _answer(self, campaigns: Iterable[Campaign], http_status: int = 200) -> Response:
        now_ms = self._services.clock.now_ms()
        return answer(CampaignList(campaigns=[view_of(c, now_ms) for c in campaigns]), http_status)


def campaigns(services: ApiServices) -> list[Route]:
    """Return the routes of campaigns."""
    desk = CampaignRoutes(services)
    return [
        Route(
            name="list_campaigns",
            method="GET",
            path=CAMPAIGNS_PATH,
            tag="campaigns",
            summary="The campaigns of the last 30 days, the latest first.",
            view=desk.show,
            reply=CampaignList,
            refusals=(404,),
        ),
        Route(
            name="announce_campaign",
            method="POST",
            path=CAMPAIGNS_PATH,
            tag="campaigns",
            summary="Announce that many calls will come: they trip nothing and are not cancelled automatically.",
            view=desk.announce,
            reply=CampaignList,
            http_status=201,
            body=NewCampaign,
            refusals=(400, 404, 409, 413, 415),
        ),
        Route(
            name="end_campaign",
            method="DELETE",
            path=f"{CAMPAIGNS_PATH}/<campaign_id>",
            tag="campaigns",
            summary="End a campaign: calls that come from now on count as any other. With ?release=true, so do "
            "its calls that are queued: they may be cancelled.",
            view=desk.end,
            reply=EndedCampaign,
            refusals=(404,),
            query={
                "release": "its calls that are queued count as any other and may be cancelled",
                "shared": "with release: so do those that may as well be another campaign's",
            },
        ),
    ]
