"""Tally to tidy frames: what a run found, in the field's own terms. Every frame's columns are listed where it is made."""
