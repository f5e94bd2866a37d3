"""What `callguard cancel` shows while it works."""

import time
from io import StringIO

import pytest
from rich.console import Console

from callguard.cli.cancel.progress import CancelProgress, filled
from callguard.domain.tally import Outcome, Tally

LEFT = Tally({Outcome.CANCELLED: 45, Outcome.DIALLED: 300}, 12_000)


def told(silent_seconds: float, *, throttled: bool = False) -> str:
    written = StringIO()
    with CancelProgress(Console(file=written, width=80), 1.0, 0.0) as progress:
        progress.show(LEFT, is_stopping=False, silent_seconds=silent_seconds, throttled=throttled)
    return written.getvalue()


def test_a_silent_twilio_is_told_of_and_that_all_will_ring() -> None:
    assert "Twilio has not answered for 12 s  all 12,000 left will ring" in told(12.0)
    assert "Twilio answers only 429 for 12 s" in told(12.0, throttled=True)
    assert "Twilio" not in told(1.0)


def test_nothing_cancelled_for_a_while_is_forecast_too(monkeypatch: pytest.MonkeyPatch) -> None:
    written = StringIO()
    with CancelProgress(Console(file=written, width=80), 1.0, 0.0) as progress:
        began = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: began + 5.0)
        progress.show(LEFT, is_stopping=False)

    assert "about 12,000 more will ring" in written.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_nothing_is_cut_at_any_width(width: int) -> None:
    parts = ["cancelled 12,345", "left 12,345", "dialled 1,234", "65/s", "about 12,345 more will ring"]
    lines = filled(parts, width)

    assert max(map(len, lines)) <= width
    assert "  ".join(line.strip() for line in lines) == "  ".join(parts)
