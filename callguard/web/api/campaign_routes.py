"""`/api/accounts/<sid>/campaigns`: announced campaigns."""

import re
from collections.abc import Iterable, Mapping

from flask import Response, g, request

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.detect.campaigns import AnnouncedCampaigns, Released
from callguard.domain.campaigns import Campaign
from callguard.errors import StoreUnavailable, TooManyCampaigns
from callguard.web.api.account_routes import ACCOUNT_PATH
from callguard.web.api.campaign_views import CampaignList, EndedCampaign, NewCampaign, ReleasedCalls, view_of
from callguard.web.api.error_answers import Refused, unavailable
from callguard.web.api.json_bodies import BadBody, checked, read_json
from callguard.web.api.routes import Route, answer, known_account

MAX_BODY_BYTES = 16 * 1024
CAMPAIGNS_PATH = f"{ACCOUNT_PATH}/campaigns"

_ID = re.compile("[0-9a-f]{8}")


class CampaignRoutes:
    """Lists, announces and ends campaigns."""

    def __init__(self, accounts: Mapping[str, Account], campaigns: AnnouncedCampaigns, clock: Clock) -> None:
        """Answer for `accounts`."""
        self._accounts = accounts
        self._campaigns = campaigns
        self._clock = clock

    def show(self, sid: str) -> Response:
        """Answer with the campaigns of the last 30 days."""
        known_account(self._accounts, sid)
        return self._answer(self._campaigns.recent(sid))

    def announce(self, sid: str) -> Response:
        """Announce a campaign for each of the numbers that were given, or one for every number: all or none."""
        account, new = known_account(self._accounts, sid), self._read()
        planned = self._campaigns.planned(account, new.calls, new.senders or (), new.until_ms, g.caller.name)
        try:
            self._campaigns.announce(sid, planned)
        except StoreUnavailable:
            # Not to be repeated blindly: a second campaign would let as many calls pass again.
            ids = ", ".join(c.id for c in planned)
            advice = f"see with GET whether the campaigns {ids} are there, before you send them again"
            raise unavailable(f"Redis did not answer in time; {advice}") from None
        except TooManyCampaigns as error:
            raise Refused(409, "too_many_campaigns", str(error)) from None
        return self._answer(planned, 201)

    def end(self, sid: str, campaign_id: str) -> Response:
        """End a campaign; with `?release=true` its queued calls become ordinary ones."""
        known_account(self._accounts, sid)
        release, with_shared = (request.args.get(name) == "true" for name in ("release", "shared"))
        ended = None
        if _ID.fullmatch(campaign_id):
            ended = self._campaigns.end(sid, campaign_id, release=release, with_shared=with_shared)
        if ended is None:
            message = "the account has no campaign with this id; GET the campaigns for those that it has"
            raise Refused(404, "unknown_campaign", message)
        view = view_of(ended.campaign, self._clock.now_ms())
        return answer(EndedCampaign(**dict(view), released=_released_view(ended.released)))

    def _read(self) -> NewCampaign:
        try:
            return checked(NewCampaign, read_json(request, MAX_BODY_BYTES), self._clock.now_ms())
        except BadBody as bad:
            message = "the campaign cannot be announced as it is written; errors says why"
            raise Refused(400, "bad_campaign", message, bad.problems) from None

    def _answer(self, campaigns: Iterable[Campaign], http_status: int = 200) -> Response:
        now_ms = self._clock.now_ms()
        return answer(CampaignList(campaigns=[view_of(c, now_ms) for c in campaigns]), http_status)


def _released_view(released: Released | None) -> ReleasedCalls | None:
    if released is None:
        return None
    shared_with = [one.id for one in released.shared_with]
    return ReleasedCalls(calls=released.calls, left=released.shared, shared_with=shared_with)


def campaigns(routes: CampaignRoutes) -> list[Route]:
    """Return the routes of campaigns."""
    return [
        Route(
            name="list_campaigns",
            method="GET",
            path=CAMPAIGNS_PATH,
            tag="campaigns",
            summary="The campaigns of the last 30 days, the latest first.",
            view=routes.show,
            reply=CampaignList,
            refusals=(404,),
        ),
        Route(
            name="announce_campaign",
            method="POST",
            path=CAMPAIGNS_PATH,
            tag="campaigns",
            summary="Announce that many calls will come: they trip nothing and are not cancelled automatically.",
            view=routes.announce,
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
            view=routes.end,
            reply=EndedCampaign,
            refusals=(404,),
            query={
                "release": "its calls that are queued count as any other and may be cancelled",
                "shared": "with release: so do those that may as well be another campaign's",
            },
        ),
    ]
