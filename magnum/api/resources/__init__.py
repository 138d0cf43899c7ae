"""What each resource has of its own."""
