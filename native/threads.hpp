// Doing one piece of work on several threads at once.
#pragma once

#include <functional>

namespace chainrule {

// Call work() on up to `threads` threads, this one among them, and wait for those that began. Work
// must be such that any number of threads gets all of it done, since helpers that are busy for
// another caller, or slow to wake, are not waited for. What any of them throws is thrown here.
void in_parallel(int threads, const std::function<void()>& work);

}  // namespace chainrule
