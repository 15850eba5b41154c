"""The API server: bytes to commands and services, and back."""
