"""CallGuard: stops a runaway of queued Twilio calls."""

__version__ = "0.1.0"
