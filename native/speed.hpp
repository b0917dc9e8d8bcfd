// What a core can do at best: against these rates the benchmarks measure the kernel.
#pragma once

#include "functions.hpp"

namespace {

double multiply_adds(std::ptrdiff_t n) {
    constexpr int CHAINS = 12;  // enough to hide the latency of each
    vec chain[CHAINS], factor = all(0.999999), term = all(1e-7);
#pragma GCC unroll 12
    for (int c = 0; c < CHAINS; ++c) chain[c] = all(c * 1e-3);
    for (std::ptrdiff_t i = 0; i < n; i += CHAINS * LANES) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; ++c) chain[c] = chain[c] * factor + term;
    }
    vec total{};
    for (int c = 0; c < CHAINS; ++c) total += chain[c];
    return sum(total);
}

double tanhs(std::ptrdiff_t n) {
    constexpr std::ptrdiff_t SIZE = 1024;
    double z[SIZE], f[SIZE];
    for (std::ptrdiff_t i = 0; i < SIZE; ++i) z[i] = f[i] = 6.0 * double(i) / SIZE - 3.0;
    for (std::ptrdiff_t done = 0; done < n; done += SIZE) {
        for (std::ptrdiff_t i = 0; i < SIZE; i += LANES) store(f + i, tanh_(load(z + i)).f);
        z[done / SIZE % SIZE] += 1e-9 * f[0];  // the next round depends on this one
    }
    return f[1];
}

}  // namespace
