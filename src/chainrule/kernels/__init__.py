"""What one block of rows adds to the cost and its derivatives. In reading order:

units        dz[L]/dθ unit by unit, and the Gauss-Newton H without writing it down
reference    in plain NumPy: J, g, the Gauss-Newton H, and the exact Hessian-vector product
native       the sums of `reference` in C++ for all rows: native/engine.cpp adds blocks up
over_rows    choose a kernel, and sum over all rows what it makes of a block
parallel     independent pieces of work on threads
determinant  the gradient of the log determinant of the curvature
"""
