"""Talking to a running bay."""
