"""Raw replies of Redis made into snapshots."""

from collections.abc import Sequence

from callguard.domain.accounts import Finding, Repeats, Rule, Snapshot, State, Suspicion
from callguard.domain.plateau import Plateau
from callguard.domain.rates import LeakyBucket
from callguard.domain.throughput import Throughput

Field = str | None

# store/lua/parts/state_fields.lua has the same order; a test holds the two together.
FIELDS = (
    *("state", "paused", "generation", "tripped", "cooled", "capped"),
    *("q_level", "q_updated", "q_onset", "i_level", "i_updated", "i_onset"),
    *("p_since", "p_at", "p_deficit", "r_count", "r_since", "r_at"),
    *("counted", "quoted", "t_since", "t_departed", "t_candidate", "t_learned"),
    *("departed", "dead_until", "campaign_at", "polled", "called_back", "shallow"),
    *("suspect_rule", "suspect_observed", "suspect_threshold", "suspect_setting"),
    *("suspect_onset", "suspect_since"),
)


def snapshot_from(now_ms: int, fields: Sequence[Field], cancellable: int, spared: int, announced: int) -> Snapshot:
    """Return the snapshot of the fields above, in their order; a missing field is a fresh account's."""
    stands, paused, generation, tripped, cooled, capped = fields[:6]
    return Snapshot(
        now_ms=now_ms,
        state=State(stands or "armed"),
        paused=paused == "1",
        generation=_int(generation),
        tripped_ms=_int(tripped),
        cooled_ms=_int(cooled),
        capped=capped == "1",
        cancellable=cancellable,
        spared=spared,
        announced=announced,
        queued=_bucket(fields[6:9]),
        initiated=_bucket(fields[9:12]),
        plateau=Plateau(_int(fields[12]), _int(fields[13]), _float(fields[14])),
        repeats=Repeats(*map(_int, fields[15:18])),
        counted_ms=_float(fields[18]),
        quoted_ms=_float(fields[19]),
        throughput=Throughput(_int(fields[20]), _int(fields[21]), _float(fields[22]), _float(fields[23])),
        departed=_int(fields[24]),
        dead_until_ms=_float(fields[25]),
        campaign_ms=_int(fields[26]),
        polled_ms=_int(fields[27]),
        called_back_ms=_int(fields[28]),
        shallow_ms=_int(fields[29]),
        suspicion=_suspicion(fields[30:36]),
    )


def finding_from(rule: str, observed: Field, threshold: Field, setting: Field, onset: Field) -> Finding:
    """Return a stored finding."""
    return Finding(Rule(rule), _float(observed), _float(threshold), setting or "", _int(onset))


def _suspicion(fields: Sequence[Field]) -> Suspicion | None:
    rule, observed, threshold, setting, onset, since = fields
    if rule is None:
        return None
    return Suspicion(finding_from(rule, observed, threshold, setting, onset), _int(since))


def _bucket(fields: Sequence[Field]) -> LeakyBucket:
    level, updated, onset = fields
    return LeakyBucket(_float(level), _int(updated), _int(onset))


def _int(field: Field) -> int:
    return int(float(field)) if field else 0


def _float(field: Field) -> float:
    return float(field) if field else 0.0
