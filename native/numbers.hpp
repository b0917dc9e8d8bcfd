// Arrays of doubles as the kernel wants them.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace chainrule {

constexpr std::size_t CACHE_LINE = 64;  // bytes; also the longest vector there is

// Memory that begins with a line of the cache, so that no vector lies across two, and that is not
// touched before it is used.
template <class T>
struct OnCacheLine {
    using value_type = T;
    T* allocate(std::size_t n) {
        return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(CACHE_LINE)));
    }
    void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t(CACHE_LINE)); }
    void construct(T* p) { ::new (static_cast<void*>(p)) T; }
    void construct(T* p, const T& x) { ::new (static_cast<void*>(p)) T(x); }
    friend bool operator==(OnCacheLine, OnCacheLine) { return true; }
    friend bool operator!=(OnCacheLine, OnCacheLine) { return false; }
};

using Numbers = std::vector<double, OnCacheLine<double>>;

}  // namespace chainrule
