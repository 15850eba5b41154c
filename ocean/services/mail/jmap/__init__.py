"""Mail for mail programs by JMAP (RFC 8620, 8621): adapters over the records and letters of a mailbox."""
