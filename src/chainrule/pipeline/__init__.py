"""From rows to a fitted model, in stages. In reading order:

fit           fit a network to rows: prepare, choose, minimize, posterior, report
settings      what is asked of a fit: its data, its settings, and its limits
effort        how much work is spent on what the user left open
plan          resolve what the user left open: network size, penalty, noise model
members       depth and width beyond one hidden layer, and networks that predict together
minimization  minimize from all starts, and compare with the minimum at which the penalty was found
reporting     write the report of a fit
"""
