"""Records as pages: which one a path shows, listings, deploys."""
