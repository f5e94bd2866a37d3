"""How many examples a property is tried on: few in `make test`, all in `make test-all`."""

from hypothesis import settings

EXAMPLES = 25


def up_to(count: int) -> int:
    """Return `count` under the profile `full`, else a few."""
    return count if settings.get_current_profile_name() == "full" else min(count, EXAMPLES)
