"""Containers as a service for OpenStack clouds."""
