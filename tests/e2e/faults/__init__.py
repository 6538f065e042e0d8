"""Faults: real workers killed, frozen and cut off under load, and the proof that nothing was lost or done twice."""
