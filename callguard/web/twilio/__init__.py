"""What Twilio calls: status callbacks, Event Streams, TwiML."""
