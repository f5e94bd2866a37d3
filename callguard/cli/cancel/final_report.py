"""What `callguard cancel` says in the end: a tally that adds up, and what to do about what is left."""

from collections.abc import Iterator
from dataclasses import dataclass

from callguard.cancel.manual_cancel import ManualCancelEnd
from callguard.cli.cancel.other_queued import OtherQueued
from callguard.cli.cancel.waiting_time import Wait
from callguard.domain.tally import Outcome, Tally
from callguard.domain.wording import span

_WHY = {
    ManualCancelEnd.STOPPED: "STOPPED, as you wanted. Nothing more is sent; Twilio goes on dialling what remains.",
    ManualCancelEnd.DENIED: "STOPPED: Twilio refuses our credentials. Check TWILIO_AUTH_TOKEN, then go on.",
    ManualCancelEnd.STUCK: "STOPPED: Twilio gives no usable answer about what remains, and goes on dialling it.",
    ManualCancelEnd.UNLISTED: "STOPPED: whether more calls have come is not known.",
    ManualCancelEnd.LOST: "STOPPED: the progress file is gone; begin afresh.",
}


@dataclass(frozen=True, slots=True)
class FinalReport:
    """How a run ended.

    Attributes:
        tally: what has become of every call.
        seconds: how long it took.
        wait: how long a call created now may wait.
        lagging: calls that are over and that Twilio's list still shows.
        looked_for_newer: whether calls that came meanwhile were looked for.
        others: what else is queued, where only this run's own calls were looked for to the end.
    """

    end: ManualCancelEnd
    tally: Tally
    seconds: float
    wait: Wait
    lagging: int
    looked_for_newer: bool
    others: OtherQueued | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.end is ManualCancelEnd.CLEARED and self.tally.is_clean

    def lines(self) -> Iterator[str]:
        """Yield lines; where something is left to do, the command that goes on is to follow."""
        if self.is_done and self.others is not None and not self.others.are_none:
            yield f"DONE after {span(self.seconds)} with that run's calls."
            yield self.others.after_all()
        elif self.is_done:
            yield f"DONE after {span(self.seconds)}: nothing that matches is queued any more."
        elif self.end is ManualCancelEnd.CLEARED:
            yield f"ENDED after {span(self.seconds)}: Twilio refuses to cancel what is counted as failed."
        else:
            yield _WHY[self.end]
        yield from self._sum()
        if self.lagging:
            yield f"Twilio's list still shows {self.lagging:,} calls that are over: it lags."
        if not self.looked_for_newer and self.others is None:
            yield "Calls that came later were not looked for: the options of the first run were not given."
        yield from self._slots()
        if not self.is_done:
            yield "To go on:"

    def _slots(self) -> Iterator[str]:
        seconds = self.wait.seconds
        if self.wait.is_whole and seconds >= 1:
            yield f"Cancelled calls keep their slots at Twilio: a call created now may wait {span(seconds)}."
        elif not self.wait.is_whole and self.tally.count(Outcome.CANCELLED):
            known = f"may wait {span(seconds)} or longer" if seconds >= 1 else "may wait"
            yield f"Cancelled calls keep their slots at Twilio: a call created now {known}."
            yield "How many slots were dead before this run is not known here."

    def _sum(self) -> Iterator[str]:
        """The tally as a sum; broken before the parts where they would not fit one line."""
        yield f"  {self.tally.found:,} found"
        yield f"  = {' + '.join(self.tally.terms(with_zeros=True))}"
