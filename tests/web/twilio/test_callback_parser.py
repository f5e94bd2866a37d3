"""A signed callback is believed only where it can be read in one way."""

import re
from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.parties import PartyHasher
from callguard.store.retention import LEFT_CALL_MS
from callguard.web.moments import MAX_AHEAD_MS, STALE_MS, Stale
from callguard.web.twilio.callback_fields import PATTERNS, PREFIX_FREE
from callguard.web.twilio.callback_parser import Ignored, MalformedCallback, parse_callback
from callguard.web.twilio.form import Form, Undecodable, read_query
from tests.examples import up_to
from tests.web.twilio.callbacks import CALL_SID, NOW_MS, fields, timestamp

HOUR_MS = 3_600_000
SECOND_MS = NOW_MS // 1000 * 1000
USED = ("AccountSid", "CallSid", "CallStatus", "From", "SequenceNumber", "Timestamp", "To")
NOBODY = PartyHasher([], "secret")


def parse(form: Mapping[str, str], never_cancel: PartyHasher = NOBODY) -> CallEvent | Ignored | Stale:
    return parse_callback(form, NOW_MS, never_cancel, signed_text=text_of(form))


def parse_pairs(form: Form) -> CallEvent | Ignored | Stale:
    return parse_callback(form, NOW_MS, NOBODY, signed_text=form.signed_text(), repeated=form.repeated_names)


def text_of(form: Mapping[str, str]) -> str:
    return Form(list(form.items())).signed_text()


def code_of(form: Mapping[str, str]) -> str:
    with pytest.raises(MalformedCallback) as refused:
        parse(form)
    return refused.value.code


@pytest.mark.parametrize("status", CallStatus)
def test_every_status_of_twilio_is_news(status: CallStatus) -> None:
    event = parse(fields(CallStatus=status.value))

    parties = NOBODY.of("+15550001111", "+15550002222")
    assert event == CallEvent(
        CALL_SID, status, NOW_MS, False, parties.sender, "+1555***11", parties.destination, None
    )


def test_nothing_of_an_event_is_a_number() -> None:
    event = parse(fields())

    assert isinstance(event, CallEvent)
    assert len(event.sender) == len(event.destination) == 16
    assert not re.search(r"\+?[0-9]{7,}", event.sender_shown)
    assert event.sender != event.destination


def test_equal_numbers_have_equal_marks_and_each_account_its_own() -> None:
    one, other = PartyHasher([], "one"), PartyHasher([], "other")

    assert one.of("+15550001111", "+15550001111").sender == one.sender("+15550001111")
    assert one.sender("+15550001111") != one.sender("+15550001112")
    assert one.sender("+15550001111") != other.sender("+15550001111")


@pytest.mark.parametrize("endpoint", ["client:jane", "sip:jane@example.com"])
def test_ones_own_endpoints_are_no_telephones(endpoint: str) -> None:
    """An agent's softphone may well be called a hundred times in an hour."""
    event = parse(fields(To=endpoint, Called=endpoint))

    assert isinstance(event, CallEvent)
    assert event.destination == ""


@pytest.mark.parametrize(
    ("sent_ms", "at_ms"), [(NOW_MS - 5_000, SECOND_MS - 5_000), (NOW_MS - 1_000, NOW_MS), (NOW_MS + 5_000, NOW_MS)]
)
def test_a_queued_call_was_created_when_twilio_says_unless_that_is_now(sent_ms: int, at_ms: int) -> None:
    event = parse(fields(CallStatus="queued", Timestamp=timestamp(sent_ms)))

    assert isinstance(event, CallEvent)
    assert event.at_ms == at_ms


@pytest.mark.parametrize("zone", ["+0000", "-0000", "GMT", "UTC"])
def test_all_names_of_utc_are_known(zone: str) -> None:
    event = parse(fields(CallStatus="queued", Timestamp=timestamp(NOW_MS - 9_000).replace("+0000", zone)))

    assert isinstance(event, CallEvent)
    assert event.at_ms == SECOND_MS - 9_000


@pytest.mark.parametrize(
    ("name", "number"), [("From", "+15550009123"), ("To", "+15550009123"), ("To", "client:jane")]
)
def test_a_call_from_or_to_a_spared_number_is_protected(name: str, number: str) -> None:
    never_cancel = PartyHasher(["+15550009*", "client:jane"], "secret")

    protected, usual = parse(fields(**{name: number}), never_cancel), parse(fields(), never_cancel)

    assert isinstance(protected, CallEvent)
    assert isinstance(usual, CallEvent)
    assert (protected.protected, usual.protected) == (True, False)


@pytest.mark.parametrize("name", [name for name in USED if name != "CallStatus"])
def test_what_is_used_is_required(name: str) -> None:
    assert code_of(fields(**{name: None})).startswith("missing_")


@pytest.mark.parametrize("name", ["From", "To"])
def test_an_outbound_call_has_two_ends(name: str) -> None:
    assert code_of(fields(**{name: ""})) == f"missing_{name.lower()}"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("AccountSid", "AC" + "A" * 32, "bad_account_sid"),
        ("CallSid", "CA" + "1" * 31, "bad_call_sid"),
        ("CallSid", "CA" + "g" * 32, "bad_call_sid"),
        ("CallSid", CALL_SID + "\n", "bad_call_sid"),
        ("CallStatus", "Queued", "unknown_call_status"),
        ("CallStatus", "", "unknown_call_status"),
        ("Timestamp", "2026-11-21T10:00:00Z", "bad_timestamp"),
        ("Timestamp", "Mon, 31 Feb 2026 10:00:00 +0000", "bad_timestamp"),
        ("Timestamp", "Mon, 21 Sep 2026 24:00:00 +0000", "bad_timestamp"),
        ("Timestamp", "Mon, 21 Sep 2026 10:00:00", "bad_timestamp"),
        ("Timestamp", "Mon, 21 Sep 2026 10:00:00 +9999", "bad_timestamp"),
        ("Timestamp", "Mon, 21 Sep 0000 10:00:00 +0000", "bad_timestamp"),
        ("SequenceNumber", "-1", "bad_sequence_number"),
        ("SequenceNumber", "1234567", "bad_sequence_number"),
        ("SequenceNumber", "\u0661", "bad_sequence_number"),
        ("Direction", "outbound", "bad_direction"),
        ("Direction", "", "bad_direction"),
        ("ParentCallSid", "CA1", "bad_parent_call_sid"),
        ("From", "+", "bad_from"),
        ("From", "Jane Doe", "bad_from"),
        ("From", "ja\x00ne", "bad_from"),
        ("From", "client:ja\x00ne", "bad_from"),
        ("To", "client:ja\u0085ne", "bad_to"),
        ("To", "+1555000222x", "bad_to"),
        ("To", "client:", "bad_to"),
        ("To", "sip:" + "x" * 2100, "bad_to"),
        ("To", "client:janeToCity", "ambiguous_to"),
    ],
)
def test_each_field_must_match_its_own_pattern(name: str, value: str, code: str) -> None:
    assert code_of(fields(**{name: value})) == code


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CallSid", "CA" + "aB" * 16),
        ("Direction", None),
        ("ParentCallSid", ""),
        ("SipResponseCode", "487"),
        ("CallDuration", "0"),
        ("ForwardedFrom", "+15550003333"),
        ("CallerCity", "NWYRCYZN01"),
        ("From", "anonymous"),
        ("From", "+266696687"),
        ("From", "client:GoldenQuincyPortland"),
        ("From", "client:Tom"),
        ("To", "12345"),
        ("To", "sip:jane@example.com;transport=tcp?x-y=1"),
        ("From", "jack"),
        ("From", "sales.desk_2"),
        ("From", "415jack"),
        ("From", "42"),
        ("From", "Anonymous"),
        ("From", "RESTRICTED"),
        ("From", "whatsapp:+15550001111"),
        ("From", "15550001111"),
        ("To", "911"),
        ("To", "jack"),
        ("To", "sip:alice@example.com:5061;transport=tls"),
        ("To", "sips:alice@example.com?X-Account=" + "7" * 1500),
        ("To", "client:joey?a=b&c=d"),
        ("ToCity", "Torrance"),
        ("ToCity", "Toronto"),
        ("NewSinceYesterday", "anything, é"),
        ("SipHeader_X-Id", "7"),
        ("ToZip", "1234-567/A"),
        ("ToCountry", "us"),
        ("RecordingDuration", "-1"),
        ("SipResponseCode", "0"),
        ("CallDuration", "12.0"),
        ("ApiVersion", "v1"),
        ("user name", "x"),
        ("Novelty", "x" * 9000),
        ("1Novelty", "x\x00"),
        ("", "x"),
    ],
)
def test_what_twilio_may_well_send_is_accepted(name: str, value: str | None) -> None:
    assert isinstance(parse(fields(**{name: value})), CallEvent)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"Direction": "inbound"}, Ignored.OTHER_DIRECTION),
        ({"Direction": "inbound", "To": ""}, Ignored.OTHER_DIRECTION),
        ({"Direction": "inbound", "From": "\x00", "CallSid": "x", "Timestamp": None}, Ignored.OTHER_DIRECTION),
        ({"Direction": "inbound", "ParentCallSid": "x", "ToZip": "1234-567/A"}, Ignored.OTHER_DIRECTION),
        ({"ParentCallSid": "CA" + "2" * 32, "CallStatus": "later", "user name": "x"}, Ignored.CHILD_CALL),
        ({"Direction": "outbound-dial"}, Ignored.OTHER_DIRECTION),
        ({"Direction": "trunking-originating"}, Ignored.OTHER_DIRECTION),
        ({"ParentCallSid": "CA" + "2" * 32}, Ignored.CHILD_CALL),
        ({"Timestamp": timestamp(NOW_MS - 6 * HOUR_MS - 1500)}, Stale(-6 * HOUR_MS - 1500)),
        ({"Timestamp": timestamp(NOW_MS + MAX_AHEAD_MS + 1000)}, Stale(MAX_AHEAD_MS + 500)),
    ],
)
def test_calls_outside_of_the_rate_queue_and_old_news_are_ignored(
    changes: dict[str, str], why: Ignored | Stale
) -> None:
    assert parse(fields(**changes)) == why


@pytest.mark.parametrize("at", ["Wed, 01 Jan 1000 00:00:00 +2359", "Tue, 31 Dec 2999 23:59:59 -2359"])
def test_times_of_other_ages_are_stale(at: str) -> None:
    assert isinstance(parse(fields(Timestamp=at)), Stale)


def test_news_goes_stale_before_the_store_forgets_a_call() -> None:
    assert STALE_MS <= LEFT_CALL_MS
    just_fresh = fields(Timestamp=timestamp(NOW_MS - 6 * HOUR_MS + 1000))
    assert isinstance(parse(just_fresh), CallEvent)


@pytest.mark.parametrize("name", [*USED, "Direction"])
@pytest.mark.parametrize("value", ["", "same"])
def test_a_name_that_decides_something_may_come_once_only(name: str, value: str) -> None:
    form = Form([*fields().items(), (name, fields()[name] if value else "x")])

    with pytest.raises(MalformedCallback, match="duplicate_field"):
        parse_pairs(form)


def test_another_name_may_come_as_often_as_it_likes() -> None:
    assert isinstance(parse_pairs(Form([*fields().items(), ("X", "a"), ("X", "b"), ("X", "a")])), CallEvent)


@pytest.mark.parametrize(
    "others",
    [
        {"AnsweredBy": "machine_start", "MachineDetectionDuration": "3200"},
        {"RecordingSid": "RE" + "1" * 32, "RecordingStatus": "completed", "RecordingDuration": "-1"},
        {"StreamSid": "MZ" + "1" * 32, "StreamEvent": "stream-started", "Timestamp": "2026-09-21T14:13:20.000Z"},
        {"ConferenceSid": "CF" + "1" * 32, "StatusCallbackEvent": "participant-join", "SequenceNumber": "1"},
        {"TranscriptionSid": "GT" + "1" * 32, "TranscriptionEvent": "transcription-content"},
    ],
)
def test_callbacks_about_something_else_are_told_apart(others: dict[str, str]) -> None:
    assert parse({"AccountSid": fields()["AccountSid"], "CallSid": CALL_SID, **others}) is Ignored.OTHER_KIND


def test_a_request_for_twiml_is_no_news_and_malformed() -> None:
    """Whoever gives a call this Url shall hear of it."""
    assert code_of(fields(Timestamp=None, SequenceNumber=None, CallbackSource=None)).startswith("missing_")


@given(st.text("ab=&%+C39éxA ", max_size=40))
def test_fields_are_read_as_the_standard_library_reads_them(query: str) -> None:
    try:
        expected = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(Undecodable):
            read_query(query)
        return

    assert read_query(query).pairs == expected


ATTACKS = {
    "Timestamp within SequenceNumber": ("SequenceNumber", "Timestamp"),
    "CallStatus within CallSid": ("CallSid", "CallStatus"),
    "Direction within FromZip's neighbour": ("CallerCity", "Direction"),
    "ParentCallSid within FromZip": ("FromZip", "ParentCallSid"),
    "To within Timestamp": ("Timestamp", "To"),
}


@pytest.mark.parametrize(("into", "hidden"), ATTACKS.values(), ids=ATTACKS.keys())
def test_a_field_does_not_hide_in_its_neighbour(into: str, hidden: str) -> None:
    irrelevant = {"Direction": "inbound", "ParentCallSid": "CA" + "2" * 32}
    form = fields(**{name: value for name, value in irrelevant.items() if name == hidden})
    form[into] += hidden + form.pop(hidden)

    with suppress(MalformedCallback):
        assert isinstance(parse(form), Ignored)  # which changes nothing


SECOND_CALL = "CA" + "2" * 32


@pytest.mark.parametrize(
    ("honest", "cut"),
    [
        # What would have the callback ignored hides in something that is not used.
        ({"CallerName": "x", "Direction": "inbound"}, {"CallerName": "xDirectioninbound", "Direction": None}),
        ({"Direction": "inbound"}, {"Direction": None, "Directioninbound": ""}),
        ({"Direction": "inbound"}, {"Direction": None, "Directionin": "bound"}),
        ({"ParentCallSid": SECOND_CALL}, {"FromZip": f"94105ParentCallSid{SECOND_CALL}"}),
        ({"ParentCallSid": SECOND_CALL}, {f"ParentCallSid{SECOND_CALL}": ""}),
        # An address without an end of its own loses or wins letters, and with them its protection.
        ({"To": "client:xTom"}, {"To": "client:x", "Tom": ""}),
        ({"To": "client:xtom"}, {"To": "client:x", "tom": ""}),
        ({"To": "jack"}, {"To": "ja", "ck": ""}),
        ({"To": "911jack"}, {"To": "911", "jack": ""}),
        ({"To": "911jack"}, {"To": "911j", "ack": ""}),
        ({"From": "jackSay"}, {"From": "jack", "Say": ""}),
        ({"From": "415Say"}, {"From": "415", "Say": ""}),
        ({"From": "privateSay"}, {"From": "private", "Say": ""}),
        ({"From": "jack", "FromCity": "y"}, {"From": "jackFromCityy"}),
        # An address within another field's value is none.
        ({"From": "jack", "FromCity": "xFrom+15550003333"}, {"Fr": "omjackFromCityx", "From": "+15550003333"}),
        ({"To": "client:x", "ToCity": ""}, {"To": "client:xToCity"}),
        ({"From": "client:x", "FromCity": "y"}, {"From": "client:xFromCityy"}),
        (
            {"ForwardedFrom": "+15550003333", "From": "client:jane"},
            {"Forwarded": "", "From": "+15550003333", "Fromclient": ":jane"},
        ),
    ],
)
def test_the_known_ways_to_move_a_border_lead_nowhere(
    honest: dict[str, str | None], cut: dict[str, str | None]
) -> None:
    bare: dict[str, str | None] = dict.fromkeys(("FromCity", "FromZip", "ToCity", "ToCountry"))
    if "94105" in str(cut):
        bare["FromZip"] = "94105"
    sent, changed = fields(**{**bare, **honest}), fields(**{**bare, **cut})
    assert text_of(sent) == text_of(changed)

    with pytest.raises(MalformedCallback):
        parse(changed)


@pytest.mark.parametrize(("name", "novelty"), [("From", "Gravity"), ("To", "Tone")])
def test_an_address_that_only_a_name_of_tomorrow_ends_is_refused(name: str, novelty: str) -> None:
    """The price of the above: nothing says where `client:jane` ends if what follows is not known to us."""
    bare = dict.fromkeys(("FromCity", "FromZip", "ToCity", "ToCountry"))

    assert code_of(fields(**{**bare, name: "client:jane", novelty: "x"})) == f"ambiguous_{name.lower()}"
    assert isinstance(parse(fields(**{**bare, novelty: "x"})), CallEvent)


FORMS = [
    fields(),
    fields(Direction="inbound"),
    fields(ParentCallSid="CA" + "2" * 32, Direction=None),
    fields(From="client:xTomToday", To="client:BobToo", ToCity=None, ToCountry=None),
    fields(From="sip:anna@example.com", ForwardedFrom="+15550003333", To="client:Frommer"),
    fields(From="+15550009", To="anonymous", CallerName="Directions Ltd", Novelty="FromHere"),
    fields(CallStatus="queued", SequenceNumber="12", To="12345", Zeta="1"),
    fields(From="jack", FromCity=None, FromZip=None, To="sip:alice@example.com", ToCity=None, ToCountry=None),
    fields(From="sales.desk_2", FromCity=None, FromZip=None, To="911", **{"user name": "x"}),
    fields(From="415jack", FromCity="Fromage", To="jack", ToCity="Toronto", Direction=None),
    fields(From="FromTo", To="ToFrom", ToCity="To+15550002222"[:2]),
]
MOVES = st.lists(
    st.tuples(st.sampled_from(["join", "shift", "split"]), st.floats(0, 1), st.integers(-12, 12)),
    min_size=1,
    max_size=8,
)


def recut(form: dict[str, str], moves: list[tuple[str, float, int]]) -> dict[str, str]:
    """Cut the text that is signed for `form` in another way that needs the same signature.

    `borders` are the places where a name begins and ends, one after the other.
    """
    text = text_of(form)
    borders = [0]
    for name in sorted(form):
        borders += [borders[-1] + len(name), borders[-1] + len(name) + len(form[name])]
    capitals = [place for place, character in enumerate(text) if character.isupper()]
    for kind, where, step in moves:
        moved = _moved(borders, capitals, kind, where, step)
        if _cut(text, moved) is not None:
            borders = moved
    found = _cut(text, borders)
    assert found is not None
    return found


def _moved(borders: list[int], capitals: list[int], kind: str, where: float, step: int) -> list[int]:
    index = 1 + int(where * (len(borders) - 3))
    if kind == "join":  # two borders go: a field is swallowed by the one before it, or its name is
        return borders[:index] + borders[index + 2 :]
    if kind == "shift":
        return [*borders[:index], borders[index] + step, *borders[index + 1 :]]
    begin = capitals[int(where * (len(capitals) - 1))]
    return sorted([*borders, begin, begin + abs(step)])


def _cut(text: str, borders: list[int]) -> dict[str, str] | None:
    """Return the fields, or None if the validator would put them together in another order."""
    if borders != sorted(borders) or borders[0] != 0 or borders[-1] != len(text) or len(borders) % 2 == 0:
        return None
    places = zip(borders[::2], borders[1::2], borders[2::2], strict=False)
    pairs = [(text[begin:middle], text[middle:end]) for begin, middle, end in places]
    names = [name for name, _ in pairs]
    return dict(pairs) if names == sorted(set(names)) else None


@settings(max_examples=up_to(1500), deadline=None)
@pytest.mark.parametrize("name", PREFIX_FREE)
@given(data=st.data())
def test_no_value_that_is_found_by_its_text_begins_another(name: str, data: st.DataObject) -> None:
    value = data.draw(st.from_regex(PATTERNS[name], fullmatch=True))

    assert not any(re.fullmatch(PATTERNS[name], value[:length]) for length in range(len(value)))


@pytest.mark.parametrize("name", PATTERNS)
@given(data=st.data())
def test_no_value_has_a_line_break(name: str, data: st.DataObject) -> None:
    assert "\n" not in data.draw(st.from_regex(PATTERNS[name], fullmatch=True))


@given(st.sampled_from(FORMS), MOVES, st.sampled_from(["From", "To"]))
def test_no_way_to_cut_the_signed_text_makes_other_news_of_it(
    form: dict[str, str], moves: list[tuple[str, float, int]], protected: str
) -> None:
    never_cancel = PartyHasher([form[protected]], "secret")
    honest = parse(form, never_cancel)
    cut = recut(form, moves)
    assert text_of(cut) == text_of(form)

    try:
        event = parse(cut, never_cancel)
    except MalformedCallback:
        return

    assert isinstance(event, Ignored) or event == honest
    assert isinstance(event, Ignored) or [cut[name] for name in USED] == [form[name] for name in USED]


@pytest.mark.parametrize("form", FORMS, ids=range(len(FORMS)))
@pytest.mark.parametrize(
    "name", ["From", "To", "CallSid", "CallStatus", "Timestamp", "Direction", "ParentCallSid"]
)
def test_no_other_place_or_end_in_the_signed_text_is_believed(form: dict[str, str], name: str) -> None:
    """Whatever other fields would have to be called: not one reading of a field is taken but the honest one."""
    text = text_of(form)
    begins = [found.end() for found in re.finditer(name, text)]
    values = {text[begin:end] for begin in begins for end in range(begin, min(begin + 120, len(text)) + 1)}

    for value in values - {form.get(name, "")}:
        with suppress(MalformedCallback):
            event = parse_callback({**form, name: value}, NOW_MS, NOBODY, signed_text=text)
            assert isinstance(event, Ignored), value
