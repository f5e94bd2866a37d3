"""News of calls in, trips out: what is counted, judged and told."""
