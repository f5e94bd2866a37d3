"""What a status callback says: https://www.twilio.com/docs/voice/api/call-resource#statuscallback"""

from itertools import product

from callguard.simulator.calls import CallEvent, CallStatus, Progress
from callguard.simulator.dates import rfc2822

GEO_FIELDS = {
    f"{who}{what}": ""
    for who, what in product(("Caller", "Called", "From", "To"), ("City", "State", "Zip", "Country"))
}
_SIP_RESPONSES = {
    CallStatus.COMPLETED: "200",
    CallStatus.BUSY: "486",
    CallStatus.NO_ANSWER: "487",
    CallStatus.CANCELED: "487",
    CallStatus.FAILED: "404",
}


def callback_fields(progress: Progress, account_sid: str) -> dict[str, str]:
    """The form of a callback. The geographic fields come empty, as they often do from Twilio."""
    call = progress.call
    fields = {
        "AccountSid": account_sid,
        "CallSid": call.sid,
        "CallStatus": progress.word,
        "From": call.order.from_number,
        "To": call.order.to,
        "Caller": call.order.from_number,
        "Called": call.order.to,
        "Direction": "outbound-api",
        "ApiVersion": "2010-04-01",
        "Timestamp": rfc2822(progress.at),
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(progress.sequence),
        **GEO_FIELDS,
    }
    if progress.event is CallEvent.COMPLETED:
        fields["CallDuration"] = str(call.talk_seconds)
        fields["Duration"] = str(-(-call.talk_seconds // 60))  # minutes begun
        fields["SipResponseCode"] = _SIP_RESPONSES[call.status]
    return fields
