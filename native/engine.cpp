#include "engine.hpp"

#include <atomic>
#include <mutex>

#include "threads.hpp"

namespace chainrule {
namespace {

using std::ptrdiff_t;

// Small where rows are few, so that some hundreds are work for two; larger where they are many, for
// every block has a sum to add.
constexpr ptrdiff_t SMALL_BLOCK = 256, BLOCK = 1024, FEW_ROWS = 16'384, FEW_ROWS_FOR_H = 4'096;
constexpr double WORTH_A_THREAD = 2e5;  // multiplications; below, waking one costs more

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

    Numbers take() {
        std::lock_guard lock(mutex_);
        if (spare_.empty()) return Numbers(size_);
        Numbers sum = std::move(spare_.back());
        spare_.pop_back();
        return sum;
    }

    void hand_in(ptrdiff_t block, Numbers sum) {
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
            Numbers other = std::move(here[partner]);
            here[partner].clear();
            lock.unlock();
            // left + right and right + left are the same bits
            for (ptrdiff_t i = 0; i < size_; ++i) sum[i] += other[i];
            lock.lock();
            spare_.push_back(std::move(other));
        }
    }

    const Numbers& total() const { return levels_.back()[0]; }

  private:
    ptrdiff_t size_;
    std::vector<std::vector<Numbers>> levels_;
    std::vector<Numbers> spare_;
    std::mutex mutex_;
};

// Kept: to be given new memory costs more than a few rows do.
Numbers& scratch_of_thread() {
    thread_local Numbers scratch;
    return scratch;
}

double multiplications(const Network& net, ptrdiff_t n, int order) {
    double each = 4.0 * net.p;
    if (order >= GAUSS_NEWTON)
        each += outputs_together(net) ? multiplications_together(net) : multiplications_one_by_one(net);
    return each * n;
}

}  // namespace

void evaluate(const Kernel& kernel, const Network& net, const double* theta, Rows rows, int order,
              int threads, double* sum) {
    const ptrdiff_t few = order >= GAUSS_NEWTON ? FEW_ROWS_FOR_H : FEW_ROWS;
    const ptrdiff_t most = rows.n < few ? SMALL_BLOCK : BLOCK;
    const ptrdiff_t blocks = (rows.n + most - 1) / most;
    const ptrdiff_t room = kernel.room(net, rows.n < most ? rows.n : most, order);
    auto block_of = [&](ptrdiff_t b) {
        ptrdiff_t from = b * most, n = rows.n - from < most ? rows.n - from : most;
        return Rows{rows.X + from * net.d[1], rows.Y + from * net.K(), rows.w + from, n};
    };
    auto evaluate_block = [&](Rows block, double* to) {
        Numbers& scratch = scratch_of_thread();
        if (ptrdiff_t(scratch.size()) < room) scratch.resize(room);
        kernel.evaluate(net, theta, block, order, to, scratch.data());
    };
    if (blocks == 1) return evaluate_block(rows, sum);

    Tournament tournament(blocks, size_of_sum(net, order));
    std::atomic<ptrdiff_t> next{0};
    auto work = [&] {
        for (ptrdiff_t b = next++; b < blocks; b = next++) {
            Numbers part = tournament.take();
            evaluate_block(block_of(b), part.data());
            tournament.hand_in(b, std::move(part));
        }
    };
    double worth = multiplications(net, rows.n, order) / WORTH_A_THREAD;
    ptrdiff_t helpers = (threads < blocks ? threads : blocks) - 1;
    if (worth < double(helpers)) helpers = ptrdiff_t(worth);
    if (helpers < 1) work();
    else in_parallel(int(helpers + 1), work);
    const Numbers& total = tournament.total();
    for (std::size_t i = 0; i < total.size(); ++i) sum[i] = total[i];
}

}  // namespace chainrule
