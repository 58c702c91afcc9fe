// Work in several phases on the threads of TensorFlow, without a wait for a thread that sleeps.

#ifndef LENGTHWISE_PARALLEL_H_
#define LENGTHWISE_PARALLEL_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/lib/core/threadpool.h"

namespace lengthwise {

inline int64_t Threads(tensorflow::OpKernelContext* context) {
  return context->device()->tensorflow_cpu_worker_threads()->num_threads;
}

// Runs `work` for each of `count` parts, in any order and on any thread.
struct Phase {
  int64_t count;
  std::function<void(int64_t)> work;
};

// To wake a sleeping thread takes up to a tenth of a millisecond, as long as some phases do. So no part belongs to a
// thread: who is awake takes the next one, who comes late finds less to do or nothing, and no one is waited for but for
// a part that he has begun. A phase begins when all parts of the one before are done.
class Phases {
 public:
  explicit Phases(std::vector<Phase> phases) : phases_(std::move(phases)), progress_(phases_.size()) {}

  static void Run(tensorflow::OpKernelContext* context, std::vector<Phase> phases) {
    int64_t most = 0;
    for (const Phase& phase : phases) most = std::max(most, phase.count);
    // One that comes when all is over looks at the counters, so they live as long as he does.
    auto all = std::make_shared<Phases>(std::move(phases));
    auto* workers = context->device()->tensorflow_cpu_worker_threads()->workers;
    for (int64_t other = std::min(Threads(context), most) - 1; other > 0; --other)
      workers->Schedule([all] { all->Join(); });
    all->Join();
  }

 private:
  struct Progress {
    alignas(64) std::atomic<int64_t> begun{0};
    alignas(64) std::atomic<int64_t> done{0};
  };

  void Join() {
    for (size_t k = 0; k < phases_.size(); ++k) {
      const Phase& phase = phases_[k];
      Progress& progress = progress_[k];
      for (int64_t part; (part = progress.begun.fetch_add(1)) < phase.count;) {
        phase.work(part);
        progress.done.fetch_add(1, std::memory_order_release);
      }
      for (int64_t tries = 0; progress.done.load(std::memory_order_acquire) < phase.count; ++tries) Pause(tries);
    }
  }

  // A part takes less than a millisecond: to wait awake is shorter, but where there are more threads than processors.
  static void Pause(int64_t tries) {
    if (tries > 4096) {
      std::this_thread::yield();
      return;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::vector<Phase> phases_;
  std::vector<Progress> progress_;
};

}  // namespace lengthwise

#endif  // LENGTHWISE_PARALLEL_H_
