"""Minimization, from one start and from many, and the proof that a minimum was reached."""
