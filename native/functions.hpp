// The activations and outputs of heart/activations.py and heart/outputs.py, on vectors.
#pragma once

#include "network.hpp"
#include "simd.hpp"

namespace {

using chainrule::Activation;

struct Value {
    vec f, prime, second;  // f(z), f'(z), f''(z)
};

// e = exp(-|z|) serves all of sigmoid(z), sigmoid(-z) and their product without cancellation.
struct Sigmoid {
    vec here, there, prime;  // sigmoid(z), sigmoid(-z), sigmoid'(z)
    explicit Sigmoid(vec z) {
        vec e = exp_of_negative(-magnitude(z));
        vec large = 1.0 / (1.0 + e), small = e * large;
        here = z < 0.0 ? small : large;
        there = z < 0.0 ? large : small;
        prime = small * large;
    }
};

// With m = expm1(-2|z|): |tanh(z)| = -m / (2 + m), and what is missing to 1 is s = 2 (1 + m) / (2 + m),
// so that tanh'(z) = s (2 - s) keeps its digits where 1 - tanh(z)^2 has lost them.
inline Value tanh_(vec z) {
    vec y = -2.0 * magnitude(z), power, p;
    y = y < -708.0 ? all(-708.0) : y;
    exp_parts(y, power, p);
    vec m = power * p + (power - 1.0);
    vec twice = power + power;
    vec inverse = 1.0 / (2.0 + m);
    vec s = (twice + twice * p) * inverse;
    vec f = with_sign_of(-m * inverse, z);
    vec prime = s * (2.0 - s);
    return {f, prime, -2.0 * f * prime};
}

inline vec softplus(vec z) {
    return (z > 0.0 ? z : vec{}) + log1p(exp_of_negative(-magnitude(z)));
}

template <Activation F>
inline Value activation(vec z) {
    if constexpr (F == Activation::TANH) return tanh_(z);
    if constexpr (F == Activation::RELU) {
        auto on = z > 0.0;
        return {on ? z : vec{}, on ? all(1.0) : vec{}, vec{}};
    }
    if constexpr (F == Activation::IDENTITY) return {z, all(1.0), vec{}};
    if constexpr (F == Activation::SIGMOID) {
        Sigmoid s(z);
        return {s.here, s.prime, s.prime * (s.there - s.here)};
    }
    if constexpr (F == Activation::SOFTPLUS) {
        Sigmoid s(z);
        return {softplus(z), s.here, s.prime};
    }
    if constexpr (F == Activation::SILU) {
        Sigmoid s(z);
        return {z * s.here, s.here * (1.0 + z * s.there),
                s.prime * (2.0 + z * (s.there - s.here))};
    }
}

// a[i] holds z and becomes f(z); prime and second are filled unless they are null.
template <Activation F>
inline void activate(double* a, double* prime, double* second, std::ptrdiff_t units,
                     std::ptrdiff_t row, std::ptrdiff_t vectors) {
    for (std::ptrdiff_t i = 0; i < units; ++i)
        for (std::ptrdiff_t v = 0; v < vectors; ++v) {
            std::ptrdiff_t at = i * row + v * LANES;
            Value value = activation<F>(load(a + at));
            store(a + at, value.f);
            if (prime) store(prime + at, value.prime);
            if (second) store(second + at, value.second);
        }
}

inline void activate(Activation f, double* a, double* prime, double* second, std::ptrdiff_t units,
                     std::ptrdiff_t row, std::ptrdiff_t vectors) {
    switch (f) {
        case Activation::SIGMOID: activate<Activation::SIGMOID>(a, prime, second, units, row, vectors); break;
        case Activation::TANH: activate<Activation::TANH>(a, prime, second, units, row, vectors); break;
        case Activation::RELU: activate<Activation::RELU>(a, prime, second, units, row, vectors); break;
        case Activation::SOFTPLUS: activate<Activation::SOFTPLUS>(a, prime, second, units, row, vectors); break;
        case Activation::SILU: activate<Activation::SILU>(a, prime, second, units, row, vectors); break;
        case Activation::IDENTITY: activate<Activation::IDENTITY>(a, prime, second, units, row, vectors); break;
    }
}

// One vector of rows at the output: z, y and the room for what is to be known, K units `row` apart.
struct AtOutput {
    const double* z;
    const double* y;
    vec w;
    double* delta;   // w dl/dz
    double* lambda;  // the curvature in z_k; for softmax p_k
    std::ptrdiff_t K, row;
    bool exact;  // the curvature of the loss itself, not that of Gauss-Newton
};

// Return w l(y, z); fill delta, and the curvature: w lambda_k for outputs that do not mix, for
// softmax p_k, with w sum(y) in row K.
template <chainrule::Output O>
inline vec output(const AtOutput& at) {
    vec cost{};
    for (std::ptrdiff_t k = 0; k < at.K; ++k) {
        vec z = load(at.z + k * at.row), y = load(at.y + k * at.row), delta, lambda;
        if constexpr (O == chainrule::IDENTITY_SQUARED) {
            delta = z - y;
            cost += 0.5 * delta * delta;
            lambda = all(1.0);
        } else if constexpr (O == chainrule::SIGMOID_SQUARED) {
            Sigmoid s(z);
            vec error = s.here - y;
            cost += 0.5 * error * error;
            delta = error * s.prime;
            lambda = s.prime * s.prime;
            if (at.exact) lambda += error * s.prime * (s.there - s.here);
        } else if constexpr (O == chainrule::SIGMOID_CROSS_ENTROPY) {
            Sigmoid s(z);
            cost += softplus(z) - y * z;
            delta = s.here * (1.0 - y) - y * s.there;
            lambda = s.prime;
        } else {
            vec y_hat = exp(z);
            cost += y_hat - y * z;
            delta = y_hat - y;
            lambda = y_hat;
        }
        store(at.delta + k * at.row, at.w * delta);
        if (at.lambda) store(at.lambda + k * at.row, at.w * lambda);
    }
    return at.w * cost;
}

// delta_k = p_k sum(other y) - y_k sum(other p): where p_k is close to 1, 1 - p_k would cancel.
template <>
inline vec output<chainrule::SOFTMAX_CROSS_ENTROPY>(const AtOutput& at) {
    vec top = load(at.z), total{}, y_total{}, y_z{};
    for (std::ptrdiff_t k = 1; k < at.K; ++k) {
        vec z = load(at.z + k * at.row);
        top = z > top ? z : top;
    }
    vec below_e{}, below_y{};  // sums over the units before k, kept in delta and lambda for a while
    double* e_at = at.delta;
    for (std::ptrdiff_t k = 0; k < at.K; ++k) {
        vec z = load(at.z + k * at.row), y = load(at.y + k * at.row);
        vec e = exp_of_negative(z - top);
        store(e_at + k * at.row, e);
        total += e;
        y_total += y;
        y_z += y * (z - top);
    }
    vec inverse = 1.0 / total;
    if (at.lambda) {
        for (std::ptrdiff_t k = 0; k < at.K; ++k)
            store(at.lambda + k * at.row, load(e_at + k * at.row) * inverse);
        store(at.lambda + at.K * at.row, at.w * y_total);
    }
    for (std::ptrdiff_t k = 0; k < at.K; ++k) {
        vec above_e{}, above_y{};
        for (std::ptrdiff_t j = k + 1; j < at.K; ++j) {
            above_e += load(e_at + j * at.row);
            above_y += load(at.y + j * at.row);
        }
        vec e = load(e_at + k * at.row), y = load(at.y + k * at.row);
        vec delta = (e * (below_y + above_y) - y * (below_e + above_e)) * inverse;
        below_e += e;
        below_y += y;
        store(e_at + k * at.row, at.w * delta);
    }
    return at.w * (y_total * log(total) - y_z);
}

}  // namespace
