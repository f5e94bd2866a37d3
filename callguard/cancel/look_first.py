"""Calls that were to be cancelled, and that Twilio's list does not show any more."""

from dataclasses import dataclass

from callguard.cancel.needs import CallCanceller
from callguard.domain.replies import CancelReply


@dataclass(frozen=True, slots=True)
class LookFirst:
    """Fulfils `CallCanceller`: looks at such a call before it sends anything.

    What was queued when the cancel run was broken off may be ringing now, and was not meant as such.
    """

    canceller: CallCanceller
    unlisted: set[str]

    async def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        """Cancel the call; one that was not listed only if it is queued after all."""
        if call_sid in self.unlisted:
            reply = await self.canceller.look_up(account_sid, call_sid)
            if reply is not CancelReply.STILL_QUEUED:
                return reply
        return await self.canceller.cancel(account_sid, call_sid)

    async def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        """Fetch the call."""
        return await self.canceller.look_up(account_sid, call_sid)
