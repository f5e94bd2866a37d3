"""The endpoints that Twilio calls: status callbacks, Event Streams, TwiML."""
