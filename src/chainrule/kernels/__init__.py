"""What one block of rows adds to the cost and its derivatives. In reading order:

reference    the reference kernel: what one block of rows adds to J, g and H, in plain NumPy
native       the native kernel: the sums of `reference`, in C++, over any number of rows at once
over_rows    choose a kernel, and sum over all rows what it makes of a block
determinant  the gradient of the log determinant of the curvature
"""
