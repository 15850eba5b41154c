"""The view host: records as pages, on an origin of their own."""
