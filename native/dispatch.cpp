// Which build of the kernel this machine can run.
#include <cstring>

#include "kernel.hpp"

extern const chainrule::Kernel chainrule_kernel_plain;
#ifdef CHAINRULE_X86
extern const chainrule::Kernel chainrule_kernel_avx2;
extern const chainrule::Kernel chainrule_kernel_avx512;
#endif

namespace chainrule {

std::ptrdiff_t row_of_H(const Network& net) { return (net.p + 7) / 8 * 8; }

std::ptrdiff_t size_of_sum(const Network& net, int order) {
    std::ptrdiff_t size = 1;
    if (order >= GRADIENT) size += net.p;
    if (order >= GAUSS_NEWTON) size += net.p * row_of_H(net);
    return size;
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
