"""Figures: functions that take numbers and return a matplotlib Figure. In reading order:

style        how every figure looks, and how it is written
diagram      the network as a drawing: units as circles, weights as lines
activations  activation functions and their derivatives
costs        the cost over one weight, over two, over the iterations
predictions  predictions beside the truth
surfaces     the fitted function over two inputs: contour and surface
"""
