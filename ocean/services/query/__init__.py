"""Finding records: conditions, sorts, counts."""
