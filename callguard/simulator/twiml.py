"""What TwiML makes a call do, as far as the simulator plays it: wait on hold, answer a queue, hang up, go on.

https://www.twilio.com/docs/voice/twiml. `<Say>`, `<Play>`, `<Pause>` and `<Gather>` take no time here.
"""

from dataclasses import dataclass
from enum import Enum
from xml.etree import ElementTree

MAX_CHARACTERS = 64_000


class Act(Enum):
    """What a call does next."""

    ENQUEUE = "enqueue"
    DIAL_QUEUE = "dial queue"
    DIAL = "dial"
    HANG_UP = "hang up"


@dataclass(frozen=True, slots=True)
class Step:
    """One act, and the name of the queue that it is about."""

    act: Act
    queue: str = ""


class BadTwimlError(ValueError):
    """A document that Twilio would hang up on (https://www.twilio.com/docs/api/errors/12100)."""


def next_step(document: str) -> Step:
    """The first act of a document that lasts; where its verbs end, Twilio hangs up. Raises `BadTwimlError`."""
    if len(document) > MAX_CHARACTERS:
        raise BadTwimlError("the document is longer than 64 kB")
    try:
        response = ElementTree.fromstring(document)  # noqa: S314  the tests' own documents
    except ElementTree.ParseError as error:
        raise BadTwimlError(str(error)) from None
    if response.tag != "Response":
        raise BadTwimlError("the document is no <Response>")
    steps = (_step(verb) for verb in response)
    return next((step for step in steps if step is not None), Step(Act.HANG_UP))


def _step(verb: ElementTree.Element) -> Step | None:
    match verb.tag:
        case "Enqueue":
            return Step(Act.ENQUEUE, (verb.text or "").strip())
        case "Dial":
            queue = verb.find("Queue")
            return Step(Act.DIAL) if queue is None else Step(Act.DIAL_QUEUE, (queue.text or "").strip())
        case "Hangup" | "Reject":
            return Step(Act.HANG_UP)
    return None
