"""The mail host: SMTP, and its own health."""
