"""Raw replies of Redis made into snapshots."""

from collections.abc import Sequence

from callguard.domain.policy import Mode
from callguard.domain.rates import LeakyBucket, Plateau
from callguard.domain.snapshot import Finding, Mark, Repeats, Rule, Snapshot, State, Suspicion, Word
from callguard.domain.throughput import Throughput

Field = str | None

# store/lua/parts/state_fields.lua has the same order; a test holds the two together. A field of several numbers
# has them between colons.
FIELDS = (
    *("state", "paused", "generation", "tripped", "cooled", "capped"),
    *("q", "i", "p", "r", "horizon", "t"),
    *("departed", "dead_until", "campaign_at", "polled", "called_back", "shallow", "suspect"),
    *("campaigns", "mode", "w", "lost", "unqueued", "listed_short", "u"),
)

# What only a whole snapshot has.
WORD_FIELDS = (
    *("paused_by", "paused_reason", "paused_since", "paused_until"),
    *("resumed_by", "resumed_reason", "resumed_since"),
    *("epoch", "decision", "server"),
)

_STATES = {state.value: state for state in State}

_EMPTY_BUCKET, _NO_PLATEAU, _NO_REPEATS, _NOTHING_LEARNED = LeakyBucket(), Plateau(), Repeats(), Throughput()
_NO_HORIZON = (0.0, 0.0, 0.0)


def snapshot_from(
    now_ms: int,
    fields: Sequence[Field],
    cancellable: int,
    protected: int,
    announced: int,
    out_of_scope: int,
    unconfirmed: int,
    outages: int | None = None,
) -> Snapshot:
    """Return the snapshot of the fields above, in their order; a missing field is a fresh account's.

    `outages` is how many go on, if they were read too.
    """
    stands, paused, generation, tripped, cooled, capped, queued, initiated, plateau, repeats, horizon = fields[:11]
    learned, departed, dead_until, campaign_at, polled, called_back, shallow, suspect = fields[11:19]
    _, mode, _, lost, unqueued, listed_short, reported = fields[19:26]
    words = fields[26:] or (None,) * len(WORD_FIELDS)
    counted_ms, quoted_ms, _ = _numbers(horizon) if horizon else _NO_HORIZON
    return Snapshot(
        now_ms=now_ms,
        state=_STATES[stands] if stands else State.ARMED,
        paused=paused == "1",
        generation=_int(generation),
        tripped_ms=_int(tripped),
        cooled_ms=_int(cooled),
        capped=capped == "1",
        unqueued=unqueued == "1",
        cancellable=cancellable,
        protected=protected,
        announced=announced,
        out_of_scope=out_of_scope,
        unconfirmed=unconfirmed,
        reported=_bucket(reported),
        queued=_bucket(queued),
        initiated=_bucket(initiated),
        plateau=_plateau(plateau),
        repeats=_repeats(repeats),
        counted_ms=counted_ms,
        quoted_ms=quoted_ms,
        throughput=_throughput(learned),
        departed=_int(departed),
        dead_until_ms=float(dead_until or 0),
        campaign_ms=_int(campaign_at),
        polled_ms=_int(polled),
        called_back_ms=_int(called_back),
        shallow_ms=_int(shallow),
        listed_short_ms=_int(listed_short),
        suspicion=_suspicion(suspect) if suspect else None,
        mode=Mode(mode) if mode else None,
        lost_ms=_int(lost),
        pause=Word(words[0] or "", words[1] or "", _int(words[2]), _int(words[3])),
        resumed=Word(words[4] or "", words[5] or "", _int(words[6])),
        mark=Mark(words[7] or "", _int(words[8]), words[9] or ""),
        outages=outages,
    )


def finding_from(rule: str, observed: Field, threshold: Field, setting: Field, onset: Field) -> Finding:
    """Return a stored finding."""
    return Finding(Rule(rule), float(observed or 0), float(threshold or 0), setting or "", _int(onset))


def suspicion_text(finding: Finding, since_ms: int, *, by_reports: bool) -> str:
    """Return the field of a suspicion."""
    figures = (finding.observed, finding.threshold, finding.setting, finding.onset_ms, since_ms, int(by_reports))
    return ":".join([finding.rule.value, *map(str, figures)])


def _suspicion(text: str) -> Suspicion:
    # An earlier release knew no suspicion by reports.
    rule, observed, threshold, setting, onset, since, by_reports = f"{text}:0".split(":")[:7]
    return Suspicion(finding_from(rule, observed, threshold, setting, onset), _int(since), by_reports == "1")


def _bucket(field: Field) -> LeakyBucket:
    if not field:
        return _EMPTY_BUCKET
    level, updated, onset = _numbers(field)
    return LeakyBucket(level, int(updated), int(onset))


def _plateau(field: Field) -> Plateau:
    if not field:
        return _NO_PLATEAU
    since, at, deficit, _ = _numbers(field)
    return Plateau(int(since), int(at), deficit)


def _throughput(field: Field) -> Throughput:
    if not field:
        return _NOTHING_LEARNED
    since, departed, candidate, learned = _numbers(field)
    return Throughput(int(since), int(departed), candidate, learned)


def _repeats(field: Field) -> Repeats:
    if not field:
        return _NO_REPEATS
    count, since, at = _numbers(field)
    return Repeats(int(count), int(since), int(at))


def _numbers(field: str) -> Sequence[float]:
    return [float(part) for part in field.split(":")]


def _int(field: Field) -> int:
    return int(float(field)) if field else 0
