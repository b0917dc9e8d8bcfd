// Vectors of doubles, and exp, expm1 and log on them.
//
// Written with the vector extension of GCC and Clang, so that one source becomes AVX-512, AVX2 or
// whatever the machine has. Everything lives in an unnamed namespace: a copy made for AVX-512 must
// never be taken by the linker for the copy that has to run without it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace {

#if defined(__AVX512F__)
constexpr int LANES = 8;
#elif defined(__AVX__)
constexpr int LANES = 4;
#else
constexpr int LANES = 2;
#endif

typedef double vec __attribute__((vector_size(8 * LANES)));
typedef double unaligned __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
typedef std::int64_t ivec __attribute__((vector_size(8 * LANES)));

inline vec load(const double* from) { return *reinterpret_cast<const unaligned*>(from); }
inline void store(double* to, vec v) { *reinterpret_cast<unaligned*>(to) = v; }
inline vec all(double x) { return x - vec{}; }  // x - 0 is x, for -0 as well

// Fixed order: the sum must not depend on anything but the numbers.
inline double sum(vec v) {
    double s[LANES];
    store(s, v);
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; ++i) s[i] += s[i + half];
    return s[0];
}

inline vec magnitude(vec x) { return (vec)((ivec)x & INT64_MAX); }
inline vec with_sign_of(vec x, vec sign) { return (vec)((ivec)x | ((ivec)sign & INT64_MIN)); }

// 2^n (1 + p) = exp(x) with p = expm1 of the rest, |rest| <= log(2) / 2, for |x| < 708; NaN stays NaN.
// Cody & Waite (1980), Software Manual for the Elementary Functions, ch. 6: log(2) in two parts.
// The polynomial is the Chebyshev fit of (expm1(r) - r) / r^2, error 3.6e-17 relative to r.
inline void exp_parts(vec x, vec& power, vec& p) {
    const double shift = 0x1.8p52;  // adding it leaves round(x) in the lowest bits
    vec t = x * 0x1.71547652b82fep0 + shift;
    vec n = t - shift;
    vec r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    vec r2 = r * r, r4 = r2 * r2;
    vec q01 = r * 0x1.5555555555556p-3 + 0x1.0000000000001p-1;
    vec q23 = r * 0x1.11111111109b5p-7 + 0x1.5555555553d68p-5;
    vec q45 = r * 0x1.a01a01a7c2f2ep-13 + 0x1.6c16c17889f40p-10;
    vec q67 = r * 0x1.71de0db2eafc6p-19 + 0x1.a019b9148739fp-16;
    vec q89 = r * 0x1.af389eeb9e5e9p-26 + 0x1.28917ca046b86p-22;
    vec q = (q01 + r2 * q23) + r4 * ((q45 + r2 * q67) + r4 * q89);
    p = r + r2 * q;
    power = (vec)(((ivec)t << 52) + (ivec)all(1.0));
}

// exp(x) for x <= 0; exactly 0 below -708, where results would no longer be normal numbers.
inline vec exp_of_negative(vec x) {
    vec power, p;
    vec bounded = x < -708.0 ? all(-708.0) : x;
    exp_parts(bounded, power, p);
    return x < -708.0 ? vec{} : power + power * p;
}

// exp(x) for any x, infinite from 709.78 on.
inline vec exp(vec x) {
    vec power, p;
    vec half = 0.5 * (x < -708.0 ? all(-708.0) : x > 710.0 ? all(710.0) : x);
    exp_parts(half, power, p);
    vec root = power + power * p;
    return x < -708.0 ? vec{} : root * root;
}

// log(x) for x >= 1: x = 2^k m with m around 1, log(m) = 2 atanh(s), s = (m - 1) / (m + 1).
// The polynomial is the Chebyshev fit of (2 atanh(s) - 2 s) / s^3, error 9e-18 relative to s.
inline vec log(vec x) {
    const ivec root_half = (ivec)all(0x1.6a09e667f3bcdp-1);
    ivec k = ((ivec)x - root_half) >> 52;
    vec m = (vec)((ivec)x - (k << 52));
    vec exponent = (vec)(k + (ivec)all(0x1p52)) - 0x1p52;
    vec s = (m - 1.0) / (m + 1.0), t = s * s;
    vec q = 0.14616451042434167 + vec{};
    q = q * t + 0.15331721490738642;
    q = q * t + 0.18182889128565508;
    q = q * t + 0.22222211134749734;
    q = q * t + 0.28571428625975764;
    q = q * t + 0.39999999999899505;
    q = q * t + 0.666666666666667;
    return exponent * 6.93147180369123816490e-01 +
           (2.0 * s + (s * t * q + exponent * 1.90821492927058770002e-10));
}

// log(1 + e) for 0 <= e <= 1, with what rounding 1 + e has lost put back.
inline vec log1p(vec e) {
    vec u = 1.0 + e;
    return log(u) + (e - (u - 1.0)) / u;
}

}  // namespace
