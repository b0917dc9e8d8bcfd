// Rows in memory, block by block, on several threads.
#pragma once

#include "kernel.hpp"
#include "numbers.hpp"

namespace chainrule {

// Set `sum` (size_of_sum) to what all rows add. Where blocks begin and the order in which they are
// added depend on the rows alone, so that the bits do not depend on the number of threads.
void evaluate(const Kernel&, const Network&, const double* theta, Rows, int order, int threads,
              double* sum);

}  // namespace chainrule
