"""Rebuildable projections of records that are searched: words (tantivy), meanings (vectors, hnswlib), and the embedder between."""
