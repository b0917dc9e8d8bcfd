"""From rows to a fitted model, in stages."""
