// Helpers are threads that sleep between calls. All callers share them, so that the process never
// has more of them than one caller alone would use.
//
// A forked child has none of its parent's threads, and their locks are in whatever state the fork
// found them: it makes its own and never touches the others.
#include "threads.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

namespace chainrule {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto SHORT = std::chrono::microseconds(100);  // waking a thread takes about as long

// Ask again and again for a short while: return whether it came true.
template <class Condition>
bool soon(const Condition& condition) {
    for (const auto until = Clock::now() + SHORT; Clock::now() < until; std::this_thread::yield())
        if (condition()) return true;
    return condition();
}

// Where a thread runs, and keeping it away from there. A new or waking thread may be put behind the
// very thread that waits for it, and stay there for longer than its work takes.
#ifdef __linux__
int processor() { return sched_getcpu(); }

// Let a thread run where this one may, but not on that processor.
void keep_off(pthread_t thread, int processor) {
    cpu_set_t allowed;
    if (processor < 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    if (CPU_COUNT(&allowed) > 1) CPU_CLR(processor, &allowed);
    pthread_setaffinity_np(thread, sizeof allowed, &allowed);
}
#else
int processor() { return -1; }
void keep_off(pthread_t, int) {}
#endif

class Helper {
  public:
    Helper() {
        // signals are for the threads of the program itself
        sigset_t every, before;
        sigfillset(&every);
        pthread_sigmask(SIG_SETMASK, &every, &before);
        try {
            std::thread thread([this] { live(); });
            handle_ = thread.native_handle();
            thread.detach();
        } catch (const std::system_error&) {
            pthread_sigmask(SIG_SETMASK, &before, nullptr);
            throw;
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    bool claim() {
        State free = FREE;
        return state_.compare_exchange_strong(free, TAKEN);
    }

    void offer(const std::function<void()>& work) {
        const int here = processor();
        if (here != kept_off_) keep_off(handle_, kept_off_ = here);
        work_ = &work;
        change(OFFERED);
    }

    // Take the work back if it was not begun, otherwise wait for its end.
    void release() {
        State offered = OFFERED;
        if (state_.compare_exchange_strong(offered, TAKEN))
            kept_off_ = NOWHERE;  // it did not wake in time: look again where it may run
        else
            wait_for(DONE);
        state_ = FREE;
    }

  private:
    static constexpr int NOWHERE = -2;
    enum State { FREE, TAKEN, OFFERED, BEGUN, DONE };

    void live() {
        for (;;) {
            wait_for(OFFERED);
            State offered = OFFERED;
            if (!state_.compare_exchange_strong(offered, BEGUN)) continue;
            (*work_)();
            change(DONE);
        }
    }

    void wait_for(State wanted) {
        auto there = [&] { return state_ == wanted; };
        if (soon(there)) return;
        std::unique_lock lock(mutex_);
        changed_.wait(lock, there);
    }

    void change(State to) {
        {
            std::lock_guard lock(mutex_);
            state_ = to;
        }
        changed_.notify_all();
    }

    std::atomic<State> state_{FREE};
    int kept_off_ = NOWHERE;
    const std::function<void()>* work_ = nullptr;
    pthread_t handle_;
    std::mutex mutex_;
    std::condition_variable changed_;
};

class Helpers {
  public:
    // Up to `most` helpers that nobody else has.
    std::vector<Helper*> claim(int most) {
        std::vector<Helper*> claimed;
        std::lock_guard lock(mutex_);
        // nothing may be thrown once a helper is claimed or its thread lives
        claimed.reserve(std::max(most, 0));
        all_.reserve(std::max(most, 0));
        for (int i = 0; i < most; ++i) {
            if (i == int(all_.size())) try {
                all_.push_back(std::make_unique<Helper>());
            } catch (const std::system_error&) {
                break;  // no more threads are to be had: those there are do the work
            }
            if (all_[i]->claim()) claimed.push_back(all_[i].get());
        }
        return claimed;
    }

    // Those of this process. They are never destroyed: at its end they may still be asleep.
    static Helpers& here() {
        static const int forks = pthread_atfork(nullptr, nullptr, [] { current = nullptr; });
        (void)forks;
        Helpers* found = current;
        if (found != nullptr) return *found;
        auto made = std::make_unique<Helpers>();
        return *(current.compare_exchange_strong(found, made.get()) ? made.release() : found);
    }

  private:
    static inline std::atomic<Helpers*> current{nullptr};
    std::mutex mutex_;
    std::vector<std::unique_ptr<Helper>> all_;
};

}  // namespace

void in_parallel(int threads, const std::function<void()>& work) {
    std::exception_ptr failure;
    std::mutex guard;
    const std::function<void()> safely = [&] {
        try {
            work();
        } catch (...) {
            std::lock_guard lock(guard);
            if (!failure) failure = std::current_exception();
        }
    };
    const auto helpers = Helpers::here().claim(threads - 1);
    for (Helper* helper : helpers) helper->offer(safely);
    safely();
    for (Helper* helper : helpers) helper->release();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace chainrule
