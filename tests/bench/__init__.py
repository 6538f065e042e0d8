"""Measurements of a running stack, each against a reference taken in the same run. Nothing is asserted."""
