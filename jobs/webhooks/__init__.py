"""Telling other systems of jobs' ends, and of detached tasks: at least once, in order, none in another's way."""
