// What one block of rows adds to J, g and H: the same as kernels/reference.py, made for speed.
#pragma once

#include <cstddef>

#include "network.hpp"

namespace chainrule {

// The sum over a block: J, then g (p), then, from `start_of_H` on, H (p rows, each `row_of_H` long,
// its upper triangle).
std::ptrdiff_t start_of_H(const Network& net);
std::ptrdiff_t row_of_H(const Network& net);
std::ptrdiff_t size_of_sum(const Network& net, int order);

// One build of the kernel. The same source is compiled for each kind of machine.
struct Kernel {
    const char* name;
    // Room that evaluate needs, in doubles.
    std::ptrdiff_t (*room)(const Network&, std::ptrdiff_t rows, int order);
    // Set `sum` to what the rows add. Order 3 is the exact Hessian, with one hidden layer or none.
    void (*evaluate)(const Network&, const double* theta, Rows, int order, double* sum, double* room);
    // Factor the upper triangle of A (n, n), rows `row` apart, as U^T U in place; false if A is not
    // positive definite.
    bool (*cholesky)(double* A, std::ptrdiff_t n, std::ptrdiff_t row);
    // B = keep B + ss s s^T + st (s t^T + t s^T) + tt t t^T, then y = B x. B (row, row) is symmetric, and
    // 0 where the vectors are 0 beyond their end; what is left of its diagonal is not looked at.
    void (*renew)(double* B, std::ptrdiff_t row, double keep, double ss, double st, double tt,
                  const double* s, const double* t, const double* x, double* y);
    // Do so many multiply-adds (two operations each) in registers, or tanhs of numbers in the nearest
    // cache: what a core can do at best. Return something that depends on the result.
    double (*multiply_adds)(std::ptrdiff_t n);
    double (*tanhs)(std::ptrdiff_t n);
};

// The best build for this machine, or the one with that name.
const Kernel& kernel();
const Kernel* kernel_named(const char* name);

}  // namespace chainrule
