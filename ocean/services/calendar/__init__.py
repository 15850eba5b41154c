"""Calendars: events, feeds of them, invitations and the answers to these."""
