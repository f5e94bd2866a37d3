"""Taking news of calls, deciding, and tripping."""
