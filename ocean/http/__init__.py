"""What the three processes' HTTP has in common: heads, answers, the protocol, the application, ranges, metrics."""
