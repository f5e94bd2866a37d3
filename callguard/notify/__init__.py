"""Notices to people, over the services of Apprise (https://appriseit.com/) and over plain webhooks."""
