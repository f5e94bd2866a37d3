"""Prometheus metrics, read from Redis at scrape so that any number of processes agree."""
