"""See design: one noun, one file."""
