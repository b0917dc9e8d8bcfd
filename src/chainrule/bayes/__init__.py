"""Priors, evidence, posterior and leave-one-out: see README.md."""
