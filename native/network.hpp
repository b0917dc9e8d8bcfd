// A network as the kernel sees it: widths, functions, and where each layer lies in theta.
#pragma once

#include <cstddef>

namespace chainrule {

enum Activation { SIGMOID, TANH, RELU, SOFTPLUS, SILU, IDENTITY };

enum Output { IDENTITY_SQUARED, SIGMOID_SQUARED, SIGMOID_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY, EXP_POISSON };

// How much is wanted: as evaluate(theta, order) of the reference, and the exact Hessian.
enum Order { COST = 0, GRADIENT = 1, GAUSS_NEWTON = 2, HESSIAN = 3 };

// Layers are counted from 1 (the input) to L (the output), as in chain_rule.py; index 0 is unused.
// A bias b[l] follows its W[l] in theta, so that it is one more row of that matrix, the row of
// a unit that is always 1. W[0], which has none, comes before them all.
struct Network {
    static constexpr int MOST_LAYERS = 64;
    int L = 0;
    std::ptrdiff_t d[MOST_LAYERS + 1] = {};   // units
    std::ptrdiff_t at[MOST_LAYERS + 1] = {};  // where W[l] begins in theta
    Activation f[MOST_LAYERS + 1] = {};       // of the hidden layers 2..L-1
    Output output = IDENTITY_SQUARED;
    bool bias = true;
    bool skip = false;     // whether there is a W[0] from the inputs to the outputs
    std::ptrdiff_t p = 0;  // length of theta

    std::ptrdiff_t rows(int l) const { return d[l] + (bias ? 1 : 0); }  // of W[l] with its bias
    std::ptrdiff_t K() const { return d[L]; }
    int first() const { return skip ? 0 : 1; }  // layer of weights
    // The layers that W[l] connects, and how many units it comes from, a bias among them.
    int from(int l) const { return l ? l : 1; }
    int to(int l) const { return l ? l + 1 : L; }
    std::ptrdiff_t sources(int l) const { return l ? rows(l) : d[1]; }
};

// Multiplications that one row costs for H. One output after the other: K outer products of a Jacobian
// that has to be written down first. All together: for every unit h, row h of B^T Lambda B times a, of
// which a product with what enters the unit gives its rows of H.
constexpr double WRITTEN = 4.0;  // multiplications that one number written down is worth
inline double multiplications_one_by_one(const Network& net) {
    return double(net.K()) * double(net.p) * (0.5 * double(net.p) + WRITTEN);
}
inline double multiplications_together(const Network& net) {
    double sum = 0.0;
    for (int l = net.first(); l < net.L; ++l)
        sum += double(net.d[net.to(l)]) * (double(net.sources(l)) + WRITTEN) * double(net.p - net.at[l]);
    for (int l = 2; l < net.L; ++l) sum += 2.0 * double(net.K()) * double(net.d[l]) * double(net.d[l]);
    return sum;
}
inline bool outputs_together(const Network& net) {
    return net.K() > 1 && multiplications_together(net) < multiplications_one_by_one(net);
}

// With one hidden layer and few outputs the exact Hessian is Gauss-Newton's and what bends it, which is
// sparse. Where the curvature of the loss may be negative it has no root, and all goes together.
inline bool exact_by_bend(const Network& net) {
    return net.L == 3 && !outputs_together(net) && net.output != SIGMOID_SQUARED;
}

// Rows of a table: X (n, d[1]) and Y (n, d[L]) row by row, one weight for each.
struct Rows {
    const double* X;
    const double* Y;
    const double* w;
    std::ptrdiff_t n;
};

}  // namespace chainrule
