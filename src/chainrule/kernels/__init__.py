"""What one block of rows adds to the cost and its derivatives. In reading order:

reference   in NumPy, as on paper: the numbers that the others are judged by
native      the same in C++, over any number of rows in memory at once
over_rows   which of them is used, and the sums over all rows
"""
