"""What the thresholds will cancel, held against the rules."""

from dataclasses import replace

import pytest

from callguard.domain.batches import is_cancelled, least_cancelled, will_cancel
from callguard.domain.policy import Mode, Policy

POLICIES = [
    Policy(),
    Policy(cps=30.0),
    Policy(cps=100.0),
    Policy(spike_burst=10.0),
    Policy(spike_burst=10.0, min_backlog=1),
    Policy(spike_rate=8.0, spike_burst=200.0, cps=5.0),
    Policy(spike_burst=5000.0, max_backlog=300),
    Policy(spike_burst=5000.0, max_drain_seconds=90.0),
    Policy(spike_burst=5000.0, plateau_seconds=30.0),
    Policy(initiated_burst=10.0, initiated_rate=0.5, cps=5.0, spike_burst=1000.0),
    Policy(repeat_limit=300),
]


@pytest.mark.parametrize("to_one_number", [False, True])
@pytest.mark.parametrize("policy", POLICIES)
def test_the_batch_named_is_cancelled_and_one_call_less_is_not(policy: Policy, to_one_number: bool) -> None:
    least = least_cancelled(policy, to_one_number=to_one_number)

    assert least is not None
    assert is_cancelled(policy, least, to_one_number=to_one_number)
    assert not is_cancelled(policy, least - 1, to_one_number=to_one_number)


def test_the_defaults_in_words() -> None:
    assert will_cancel(Policy()) == (
        "A batch of 66 calls at once will be cancelled; so will 26 calls to one number at once. 20 calls to one "
        "number within 10 minutes open an incident, and cancel while 25 or more calls are queued."
    )


def test_observe_says_would() -> None:
    told = will_cancel(replace(Policy(), mode=Mode.OBSERVE))

    assert "would be cancelled (mode is observe); so would 26 calls" in told
    assert " will " not in told
