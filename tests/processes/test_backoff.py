from callguard.processes.program import Backoff


def test_delays_double_up_to_five_seconds() -> None:
    backoff = Backoff()

    assert [backoff.after(1.0) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_a_good_run_starts_them_anew() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after(9.9)

    assert backoff.after(10.0) == 0.2
    assert backoff.after(1.0) == 0.4
