"""Files: their bytes, and the records that name them."""
