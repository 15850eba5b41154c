"""All logic: one feature a file, each taking a Caller and typed arguments."""
