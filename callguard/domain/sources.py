"""The sources of news: by which way the guard hears of a call."""

from enum import Enum


class Source(Enum):
    """One of the three sources.

    `callback`: Twilio's status callbacks, of calls that leave the queue. `poll`: Twilio's list, of calls that are
    in the queue. `report`: Event Streams, or the programs that create calls, of calls that enter it.
    """

    CALLBACK = "callback"
    POLL = "poll"
    REPORT = "report"
