"""The record: append-only, and verifiable without trusting whoever runs it."""
