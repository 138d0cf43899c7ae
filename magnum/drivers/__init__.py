"""What kinds of bays there are: `base` is the interface, the other modules are drivers and what they share."""
