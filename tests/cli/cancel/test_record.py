"""Where the progress of `callguard cancel` cannot be kept, the way out is told."""

from pathlib import Path

import click
import pytest

from callguard.cli.cancel.record import progress_record
from callguard.errors import StoreUnavailable
from tests.conftest import ACCOUNT_SID


def test_a_full_disk_is_named_and_so_is_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException) as ended, progress_record(tmp_path, ACCOUNT_SID):
        raise StoreUnavailable("Redis did not answer: ResponseError: MISCONF Errors writing to the AOF file")

    assert f"the disk of {tmp_path} is full" in ended.value.message
    assert "MISCONF" not in ended.value.message
    assert "CALLGUARD_DATA_DIR=/dev/shm/callguard callguard cancel" in ended.value.message


def test_another_reason_is_told_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(click.ClickException, match="Not a directory"),
        progress_record(tmp_path / "file", ACCOUNT_SID),
    ):
        raise AssertionError("it cannot be used")
