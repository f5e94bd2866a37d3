"""The TwiML that CallGuard answers with: https://www.twilio.com/docs/voice/twiml."""

from twilio.twiml.voice_response import Dial, VoiceResponse

from callguard.domain.policy import Policy

NEXT_CALLER = "You will be connected to the next caller."
NO_QUEUE = "No hold queue is configured. Goodbye."


def apology(policy: Policy) -> str:
    """Return what a redirected caller hears: the message, then the hold queue's music or the end."""
    response = VoiceResponse()
    response.say(policy.live_calls_message)
    if policy.live_calls_queue:
        response.enqueue(policy.live_calls_queue)
    else:
        response.hangup()
    return str(response)


def agent(policy: Policy) -> str:
    """Return what connects an agent with one caller of the hold queue after the other."""
    response = VoiceResponse()
    if not policy.live_calls_queue:
        response.say(NO_QUEUE)
        response.hangup()
        return str(response)
    response.say(NEXT_CALLER)
    dial = Dial()
    dial.queue(policy.live_calls_queue)
    response.append(dial)
    response.redirect("")  # from the beginning: the next caller
    return str(response)
