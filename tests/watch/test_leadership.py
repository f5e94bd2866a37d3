"""Of several watchers, one acts; when it is gone, another does."""

from tests.conftest import Store


def test_one_leads_until_it_steps_down(store: Store) -> None:
    leadership = store.leadership

    assert leadership.lead("first")
    assert not leadership.lead("second")
    assert leadership.lead("first")
    leadership.step_down("second")
    assert not leadership.lead("second")
    leadership.step_down("first")
    assert leadership.lead("second")


def test_heartbeats_have_ages(store: Store) -> None:
    store.heartbeats.beat("watcher", 10_000)

    assert store.heartbeats.ages(12_500) == {"watcher": 2.5}
