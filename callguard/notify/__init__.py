"""Telling people, over whatever Apprise knows (https://appriseit.com/), and over plain webhooks."""
