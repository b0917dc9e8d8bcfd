"""What people read about a model. In reading order:

answer          the answer in plain words, with which a summary begins
summary         one page about a trained model: what it is, how good it is, how it came about
knowledge       the part of the summary about evidence, posterior, noise and influential rows
plan            what was asked of a fit, what was chosen, and why
trace_json      the trace: one forward and backward pass with every number, as plain data
worked_example  the worked example: every equation of one row, or of a table, with its numbers in it
story           the tutorial's story on its own three rows
"""
