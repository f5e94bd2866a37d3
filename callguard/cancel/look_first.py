"""Looks at calls that Twilio's list does not show any more before it cancels them."""

from dataclasses import dataclass

from callguard.cancel.needs import CallCanceller
from callguard.domain.replies import CancelReply


@dataclass(frozen=True, slots=True)
class LookFirst:
    """Fulfils `CallCanceller`: fetches an unlisted call before it sends a cancel request.

    Such a call was queued when the cancel run was broken off, and may be ringing now: ringing calls are not meant.
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
