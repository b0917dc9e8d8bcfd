// Threads that live no longer than a call: nothing is left behind that a fork could break.
#pragma once

#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace chainrule {

// Call work() on `threads` threads, this one among them, and wait for all. Where no more threads are
// to be had, those there are do the work. The first exception of any of them is thrown here.
template <class Work>
void in_parallel(std::ptrdiff_t threads, const Work& work) {
    std::exception_ptr failure;
    std::mutex guard;
    auto safely = [&] {
        try {
            work();
        } catch (...) {
            std::lock_guard lock(guard);
            if (!failure) failure = std::current_exception();
        }
    };
    std::vector<std::thread> others;
    try {
        for (std::ptrdiff_t i = 1; i < threads; ++i) others.emplace_back(safely);
    } catch (const std::system_error&) {
    }
    safely();
    for (auto& other : others) other.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace chainrule
