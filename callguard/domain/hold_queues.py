"""Callers on hold. Twilio calls them in progress: they do not wait to be dialled, and the guard only shows them.

https://www.twilio.com/docs/voice/api/queue-resource
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from callguard.domain.addresses import masked

MAX_SHOWN = 50
MAX_NAME = 64

_NUMBER = re.compile(r"\+[0-9]{7,}|[0-9]{9,}")


@dataclass(frozen=True, slots=True)
class HoldQueue:
    """A hold queue of Twilio's, into which `<Enqueue>` puts callers.

    Attributes:
        queue_sid: `QU` and 32 hex digits.
        name: its friendly name.
        size: how many callers wait in it; None if Twilio did not say.
    """

    queue_sid: str
    name: str
    size: int | None


def shown_sizes(queues: Iterable[HoldQueue]) -> dict[str, int]:
    """Return the sizes by name, fit for labels: the `MAX_SHOWN` longest queues, in the order of their names.

    Anybody may name a queue: names are cut off at `MAX_NAME` characters, telephone numbers in them are masked,
    and queues that then have the same name count as one.
    """
    sizes: Counter[str] = Counter()
    for queue in queues:
        sizes[_shown(queue.name)] += queue.size or 0
    longest = sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:MAX_SHOWN]
    return dict(sorted(longest))


def _shown(name: str) -> str:
    printable = "".join(character if character.isprintable() else "?" for character in name)
    return _NUMBER.sub(lambda number: masked(number[0]), printable)[:MAX_NAME]
