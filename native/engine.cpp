#include "engine.hpp"

#include <atomic>
#include <mutex>

#include "threads.hpp"

namespace chainrule {
namespace {

using std::ptrdiff_t;

constexpr ptrdiff_t BLOCK_ROWS = 1024;   // as the engine of the reference kernel has it
constexpr double WORTH_A_THREAD = 1e7;  // multiplications; below, starting one costs more

// Sums over neighbouring blocks are joined as soon as both are there: first 0 with 1, 2 with 3, then
// 0-1 with 2-3, as in a tournament. A block without a partner goes up by itself.
class Tournament {
  public:
    Tournament(ptrdiff_t blocks, ptrdiff_t size) : size_(size) {
        for (ptrdiff_t n = blocks;; n = (n + 1) / 2) {
            levels_.emplace_back(n);
            if (n == 1) break;
        }
    }

    Scratch take() {
        std::lock_guard lock(mutex_);
        if (spare_.empty()) return Scratch(size_);
        Scratch sum = std::move(spare_.back());
        spare_.pop_back();
        return sum;
    }

    void hand_in(ptrdiff_t block, Scratch sum) {
        for (std::size_t level = 0;; ++level, block /= 2) {
            std::unique_lock lock(mutex_);
            auto& here = levels_[level];
            if (level + 1 == levels_.size()) {
                here[0] = std::move(sum);
                return;
            }
            ptrdiff_t partner = block ^ 1;
            if (partner >= ptrdiff_t(here.size())) continue;
            if (here[partner].empty()) {
                here[block] = std::move(sum);
                return;
            }
            Scratch other = std::move(here[partner]);
            here[partner].clear();
            lock.unlock();
            // left + right and right + left are the same bits
            for (ptrdiff_t i = 0; i < size_; ++i) sum[i] += other[i];
            lock.lock();
            spare_.push_back(std::move(other));
        }
    }

    const Scratch& total() const { return levels_.back()[0]; }

  private:
    ptrdiff_t size_;
    std::vector<std::vector<Scratch>> levels_;
    std::vector<Scratch> spare_;
    std::mutex mutex_;
};

double multiplications(const Network& net, ptrdiff_t n, int order) {
    double each = 4.0 * net.p;
    if (order >= GAUSS_NEWTON) each += 0.5 * net.K() * net.p * net.p;
    return each * n;
}

}  // namespace

void evaluate(const Kernel& kernel, const Network& net, const double* theta, Rows rows, int order,
              int threads, double* sum, Scratch& scratch) {
    const ptrdiff_t blocks = (rows.n + BLOCK_ROWS - 1) / BLOCK_ROWS;
    const ptrdiff_t room = kernel.room(net, rows.n < BLOCK_ROWS ? rows.n : BLOCK_ROWS, order);
    auto block_of = [&](ptrdiff_t b) {
        ptrdiff_t from = b * BLOCK_ROWS, n = rows.n - from < BLOCK_ROWS ? rows.n - from : BLOCK_ROWS;
        return Rows{rows.X + from * net.d[1], rows.Y + from * net.K(), rows.w + from, n};
    };
    if (ptrdiff_t(scratch.size()) < room) scratch.resize(room);
    if (blocks == 1) return kernel.evaluate(net, theta, rows, order, sum, scratch.data());

    Tournament tournament(blocks, size_of_sum(net, order));
    std::atomic<ptrdiff_t> next{0};
    auto work = [&](Scratch& own) {
        for (ptrdiff_t b = next++; b < blocks; b = next++) {
            Scratch part = tournament.take();
            kernel.evaluate(net, theta, block_of(b), order, part.data(), own.data());
            tournament.hand_in(b, std::move(part));
        }
    };
    double worth = multiplications(net, rows.n, order) / WORTH_A_THREAD;
    ptrdiff_t helpers = (threads < blocks ? threads : blocks) - 1;
    if (worth < double(helpers)) helpers = ptrdiff_t(worth);
    if (helpers < 1) work(scratch);
    else
        in_parallel(helpers + 1, [&] {
            Scratch own(room);
            work(own);
        });
    const Scratch& total = tournament.total();
    for (std::size_t i = 0; i < total.size(); ++i) sum[i] = total[i];
}

}  // namespace chainrule
