"""What the guard says to others, in one file: `python -m tests.compare_outputs OUT.json`.

It plays the same incidents, campaigns, pauses and refused requests each time, with a frozen clock, and writes the
metrics, the API's answers, what commands print, the notices, and the keys in Redis. Run on two commits, the files
show what a change has changed: `diff OUT-BEFORE.json OUT-AFTER.json`.
"""

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.calls import create_calls
from tests.stored_state import read_state
from tests.valkey import serve
from tests.web.twilio.event_batches import EVENTS_URL, created, json_signed, query_of
from tests.whole_guard import TOKEN, WholeGuard, whole_guard

NOW_MS = 1_790_000_000_000
RUNAWAY, OBSERVED, DIALLED, CALM = ("AC" + digit * 32 for digit in "abcd")
STRANGER = "AC" + "e" * 32
SCRIPT, CAMPAIGN, PROTECTED = "+15550100000", "+15550177777", "+15550009999"
POLICY: dict[str, object] = {
    "cps": 1,
    "spike_burst": 20,
    "min_backlog": 5,
    "quiet_seconds": 5,
    "never_cancel": [PROTECTED],
}
ACCOUNTS: dict[str, dict[str, object]] = {
    RUNAWAY: POLICY,
    OBSERVED: {**POLICY, "mode": "observe"},
    DIALLED: {**POLICY, "min_backlog": 50, "quiet_seconds": 900},
    CALM: {"cps": 5},
}
SHORT_LIVED_MS = 40_000
COMMANDS = (("status",), ("campaign", RUNAWAY), ("check",))
_CHANGING = (
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://twilio"),
    (re.compile(r"in \d+ ms"), "in some ms"),
    (re.compile(r"from here \(.*?\)"), "from here (why)"),
    (re.compile(r"unix://\S+|/tmp/\S+"), "some path"),
)


class Recorder:
    """Notes what the guard says at each step."""

    def __init__(self, guard: WholeGuard, redis_url: str) -> None:
        self.said: dict[str, Any] = {}
        self._guard = guard
        self._redis_url = redis_url
        self._ids: dict[str, str] = {}

    def note(self, step: str, what: str, said: Any) -> None:
        """Note one answer."""
        text = json.dumps(said)
        for pattern, name in _CHANGING:
            text = pattern.sub(name, text)
        for number, found in enumerate(re.findall(r'"id": "([0-9a-f]{8})"', text)):
            self._ids.setdefault(found, f"campaign-{len(self._ids) + number}")
        for found, name in self._ids.items():
            text = text.replace(found, name)
        self.said.setdefault(step, {}).setdefault(what, []).append(json.loads(text))

    def ask(self, step: str, method: str, path: str, role: str = "operator", **request: Any) -> Any:
        """Ask the API, and note the whole answer."""
        answer = self._guard.ask(method, path, role, **request)
        headers = {name: answer.headers.get(name) for name in ("Content-Type", "Cache-Control", "Retry-After")}
        said = {"status": answer.status_code, "headers": headers, "body": _body(answer)}
        self.note(step, f"{method} {path} {role}", said)
        return answer.json

    def look(self, step: str) -> None:
        """Note everything that can be looked at. What the probes say may be a second old, so it is waited for."""
        time.sleep(1.1)
        guard = self._guard
        paths = [f"/api/accounts/{sid}{more}" for sid in ACCOUNTS for more in ("", "/gate", "/campaigns")]
        for path in ["/api/accounts", *paths, "/healthz", "/readyz", "/healthz/guard"]:
            self.ask(step, "GET", path)
        self.note(step, "/metrics", guard.ask("GET", "/metrics").text.splitlines())
        for words in COMMANDS:
            result = guard.command(*words)
            self.note(step, " ".join(words), [result.exit_code, *result.output.splitlines()])
        state = read_state(self._redis_url)
        sent = [fields for key, held in state.items() if held["type"] == "stream" for _, fields in held["value"]]
        self.note(step, "notices", sorted(sent, key=lambda notice: sorted(notice.items())))
        self.note(step, "keys", _shapes(state))


def _body(answer: Any) -> Any:
    return answer.json if answer.is_json else answer.text.splitlines()


def _shapes(state: dict[str, dict[str, Any]]) -> list[str]:
    """Return each kind of key with its type, its fields, and whether it expires; leases and jobs come and go."""
    shapes = set()
    for key, held in state.items():
        if 0 < held["expires_in_ms"] < SHORT_LIVED_MS:
            continue
        names = sorted({_kind(name) for name in held["value"]}) if held["type"] == "hash" else []
        expires = "expires" if held["expires_in_ms"] > 0 else "stays"
        shapes.add(f"{_kind(key)} {held['type']} {expires} {' '.join(names)}".rstrip())
    return sorted(shapes)


def _kind(name: str) -> str:
    """Return a key or field without what is of one call, number or process."""
    name = re.sub(r"(CA|AC)[0-9a-f]{32}", r"\1…", name)
    return re.sub(r"guard-host-\d+-[0-9a-f]{8}|[0-9a-f]{8,32}|(?<=^[ciq])\d+", "…", name)


def _fresh(record: Recorder, guard: WholeGuard) -> None:
    guard.watch(_all_polled(guard), "all accounts are watched")
    record.look("1 fresh")
    record.ask("1 fresh", "GET", "/api/openapi.json")


def _refused(record: Recorder, guard: WholeGuard) -> None:
    """Requests that the guard does not take."""
    step = "2 refused"
    call = "CA" + "1" * 32
    answers = [
        guard.call_back(RUNAWAY, call, "initiated", token="0" * 32),
        guard.call_back(STRANGER, call, "initiated"),
        guard.call_back(RUNAWAY, "no call", "initiated"),
        guard.call_back(RUNAWAY, call, "no status"),
    ]
    record.note(step, "callbacks", answers)
    campaigns = f"/api/accounts/{RUNAWAY}/campaigns"
    record.ask(step, "GET", f"/api/accounts/{STRANGER}")
    record.ask(step, "GET", "/api/nothing")
    record.ask(step, "PUT", "/api/accounts")
    record.ask(step, "GET", "/api/accounts", "reporter")
    record.ask(step, "POST", campaigns, "viewer", json={"calls": 5})
    record.ask(step, "POST", campaigns, json={"calls": -5, "until": "never", "more": 1})
    record.ask(step, "POST", campaigns, data=b"{", content_type="application/json")
    record.ask(step, "DELETE", f"{campaigns}/01234567")
    record.ask(step, "POST", "/api/reports", json={"calls": [{"sid": "no call"}]})
    record.ask(step, "PUT", f"/api/call/cancel/{call}")
    record.ask(step, "PUT", "/api/call/cancel/nothing")
    answer = guard.web.get("/api/accounts")
    record.note(step, "GET /api/accounts without a key", [answer.status_code, _body(answer)])


def _trips(record: Recorder, guard: WholeGuard) -> None:
    """A campaign is announced. Scripts run away: one that queues, one that is observed, one without a queue."""
    campaign = {"calls": 20, "from": [CAMPAIGN], "until": "2026-09-21T20:00:00Z"}
    record.ask("3 tripped", "POST", f"/api/accounts/{RUNAWAY}/campaigns", json=campaign)
    create_calls(guard.twilio, RUNAWAY, 5, from_number=CAMPAIGN)
    create_calls(guard.twilio, RUNAWAY, 3, from_number=PROTECTED)
    create_calls(guard.twilio, RUNAWAY, 60, from_number=SCRIPT)
    create_calls(guard.twilio, OBSERVED, 40, from_number=SCRIPT)
    guard.watch(_all_generations(guard, {RUNAWAY: 1, OBSERVED: 1}), "two have tripped")
    for number in range(30):
        guard.call_back(DIALLED, f"CA{number:032x}", "initiated", SequenceNumber="0")
    for status in ("ringing", "in-progress", "completed"):
        guard.call_back(CALM, "CA" + "2" * 32, status)
    for report in (1, 1, 2):
        call = {
            "sid": f"CA{report:032x}", "account_sid": CALM, "status": "queued", "date_created": None,
            "queue_time": "1000", "from": SCRIPT, "to": "+15552000000", "direction": "outbound-api",
        }  # fmt: skip
        record.ask("3 tripped", "POST", "/api/reports", "reporter", json={"calls": [call]})
    record.note("3 tripped", "events", _send_events(guard))
    record.look("3 tripped")


def _send_events(guard: WholeGuard) -> Any:
    body = json.dumps([created(), {"type": "nothing"}]).encode()
    query = query_of(body)
    headers = json_signed(query, url=EVENTS_URL, token=TOKEN)
    answer = guard.web.post(
        "/twilio/events", data=body, headers=headers, content_type="application/json", query_string=query
    )
    return [answer.status_code, answer.text]


def _drained(record: Recorder, guard: WholeGuard) -> None:
    """A person pauses and resumes; then both accounts are drained."""
    step = "4 drained"
    for words in (("pause", "--account", RUNAWAY, "--reason", "to look", "--for", "1h"), ("status",)):
        record.note(step, f"paused: {' '.join(words)}", guard.command(*words).output.splitlines())
    record.look("4 paused")
    resumed = guard.command("resume", "--account", RUNAWAY)
    record.note(step, "resume", resumed.output.splitlines())
    record.note(step, "ends", [guard.drain(RUNAWAY, 1), guard.drain(OBSERVED, 1), guard.drain(CALM, 1)])
    record.look(step)


def _armed_again(record: Recorder, guard: WholeGuard) -> None:
    """It is quiet, so the guard arms again; the campaign is ended; what is left of incidents is reset."""
    step = "5 armed again"
    guard.clock.pass_seconds(6)
    polled, recent = _all_polled(guard), guard.stores.incidents.recent
    guard.watch(lambda: recent(RUNAWAY, 1) and polled(), "all are looked at, and the incident is closed")
    for sid in ACCOUNTS:
        reset = guard.command("reset", "--account", sid, "--reason", "the end")
        record.note(step, f"reset {sid}", [reset.exit_code, *reset.output.splitlines()])
    path = f"/api/accounts/{RUNAWAY}/campaigns"
    for campaign in guard.ask("GET", path).json["campaigns"]:
        record.note(step, "end", guard.ask("DELETE", f"{path}/{campaign['id']}?release=true").json)
    record.look(step)


def _all_polled(guard: WholeGuard) -> Callable[[], bool]:
    tracker, now_ms = guard.stores.tracker, guard.clock.ms
    return lambda: all(tracker.snapshot(sid, 0).polled_ms == now_ms for sid in ACCOUNTS)


def _all_generations(guard: WholeGuard, wanted: dict[str, int]) -> Callable[[], bool]:
    tracker = guard.stores.tracker
    return lambda: all(tracker.snapshot(sid, 0).generation == number for sid, number in wanted.items())


@contextmanager
def _guard(redis_url: str) -> Iterator[WholeGuard]:
    with (
        tempfile.TemporaryDirectory() as name,
        whole_guard(redis_url, NOW_MS, Path(name), ACCOUNTS) as guard,
    ):
        yield guard


def record() -> dict[str, Any]:
    """Play everything; return by step what was said."""
    with contextmanager(serve)("valkey") as redis_url, _guard(redis_url) as guard:
        recorder = Recorder(guard, redis_url)
        for play in (_fresh, _refused, _trips, _drained, _armed_again):
            play(recorder, guard)
        return recorder.said


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(json.dumps(record(), indent=1, ensure_ascii=False, sort_keys=True) + "\n")
