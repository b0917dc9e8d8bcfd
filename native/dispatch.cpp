// Which build of the kernel this machine can run.
#include <cstring>

#include "kernel.hpp"
#include "numbers.hpp"

extern const chainrule::Kernel chainrule_kernel_plain;
#ifdef CHAINRULE_X86
extern const chainrule::Kernel chainrule_kernel_avx2;
extern const chainrule::Kernel chainrule_kernel_avx512;
#endif

namespace chainrule {

constexpr std::ptrdiff_t LINE = CACHE_LINE / sizeof(double);
static std::ptrdiff_t whole_lines(std::ptrdiff_t n) { return (n + LINE - 1) / LINE * LINE; }

std::ptrdiff_t start_of_H(const Network& net) { return whole_lines(1 + net.p); }
std::ptrdiff_t row_of_H(const Network& net) { return whole_lines(net.p); }

std::ptrdiff_t size_of_sum(const Network& net, int order) {
    if (order >= GAUSS_NEWTON) return start_of_H(net) + net.p * row_of_H(net);
    return order >= GRADIENT ? 1 + net.p : 1;
}

const Kernel* kernel_named(const char* name) {
    const Kernel* best = nullptr;
    auto offer = [&](const Kernel& candidate, bool runs) {
        if (runs && (name == nullptr || std::strcmp(name, candidate.name) == 0)) best = &candidate;
    };
    offer(chainrule_kernel_plain, true);
#ifdef CHAINRULE_X86
    offer(chainrule_kernel_avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
    offer(chainrule_kernel_avx512, __builtin_cpu_supports("avx512f") &&
                                       __builtin_cpu_supports("avx512dq") &&
                                       __builtin_cpu_supports("avx512vl"));
#endif
    return best;
}

const Kernel& kernel() {
    static const Kernel& best = *kernel_named(nullptr);
    return best;
}

}  // namespace chainrule
