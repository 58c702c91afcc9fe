// A step of Adam for all weights.

#ifndef LENGTHWISE_ADAM_OP_H_
#define LENGTHWISE_ADAM_OP_H_

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernel.h"
#include "op_support.h"
#include "parallel.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"

namespace lengthwise {
namespace {

REGISTER_OP("LengthwiseApplyAdam")
    .Input("weights: N * resource")
    .Input("momentums: N * resource")
    .Input("velocities: N * resource")
    .Input("gradients: N * float")
    .Input("step: int64")
    .Input("learning_rate: float")
    .Input("settings: double")
    .Attr("N: int >= 1")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext*) { return absl::OkStatus(); });

// Holds all variables' locks, taken in the order of their addresses, so that no two operations wait for each other.
struct Locks {
  std::vector<tensorflow::mutex*> held;
  bool distinct;

  explicit Locks(const std::vector<tensorflow::core::RefCountPtr<tensorflow::Var>>& variables) {
    for (const auto& variable : variables) held.push_back(variable->mu());
    std::sort(held.begin(), held.end());
    distinct = std::adjacent_find(held.begin(), held.end()) == held.end();
    if (!distinct) held.clear();
    for (auto* lock : held) lock->lock();
  }
  ~Locks() {
    for (auto* lock : held) lock->unlock();
  }
};

class ApplyAdamOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    tensorflow::OpInputList gradients;
    OP_REQUIRES_OK(context, context->input_list("gradients", &gradients));
    const int count = gradients.size();
    const Tensor &step = context->input(4 * count), &rate = context->input(4 * count + 1), &settings = context->input(4 * count + 2);
    OP_REQUIRES(context, step.dims() == 0 && rate.dims() == 0 && settings.shape() == TensorShape({3}),
                InvalidArgument("step, learning_rate, settings: got ", step.shape().DebugString(), ", ",
                                rate.shape().DebugString(), ", ", settings.shape().DebugString(), "; expected [], [], [3]"));
    const double beta_1 = settings.vec<double>()(0), beta_2 = settings.vec<double>()(1);
    const double number = static_cast<double>(step.scalar<int64_t>()());
    const double unbiased = std::sqrt(1 - std::pow(beta_2, number)) / (1 - std::pow(beta_1, number));
    const Adam adam = {static_cast<float>(rate.scalar<float>()() * unbiased), static_cast<float>(1 - beta_1),
                       static_cast<float>(1 - beta_2), static_cast<float>(settings.vec<double>()(2))};

    std::vector<tensorflow::core::RefCountPtr<tensorflow::Var>> variables(3 * count);
    std::vector<float*> data(3 * count);
    for (int k = 0; k < 3 * count; ++k)
      OP_REQUIRES_OK(context, tensorflow::LookupResource(context, tensorflow::HandleFromInput(context, k), &variables[k]));
    const Locks locks(variables);
    OP_REQUIRES(context, locks.distinct, InvalidArgument("weights, momentums, velocities: expected each variable once"));
    for (int k = 0; k < 3 * count; ++k) {
      Tensor* tensor = variables[k]->tensor();
      OP_REQUIRES(context, tensor->IsInitialized() && tensor->dtype() == DT_FLOAT && tensor->shape() == gradients[k % count].shape(),
                  InvalidArgument("gradients: got shape ", gradients[k % count].shape().DebugString(), "; expected ",
                                  tensor->shape().DebugString(), ", that of the weight and its moments"));
      if (!tensor->RefCountIsOne() || variables[k]->copy_on_read_mode.load()) {
        // Someone still reads what the variable was.
        Tensor copy;
        OP_REQUIRES_OK(context, context->allocate_temp(DT_FLOAT, tensor->shape(), &copy));
        std::copy_n(tensor->flat<float>().data(), tensor->NumElements(), copy.flat<float>().data());
        *tensor = copy;
      }
      data[k] = tensor->flat<float>().data();
    }
    std::vector<int64_t> offset(count + 1, 0);
    for (int k = 0; k < count; ++k) offset[k + 1] = offset[k] + gradients[k].NumElements();
    const int64_t total = offset[count], parts = std::max<int64_t>(1, total / kPartWeights);
    Phases::Run(context, {{parts, [&](int64_t part) {
      const int64_t begin = total * part / parts, end = total * (part + 1) / parts;
      for (int k = 0; k < count; ++k) {
        const int64_t from = std::max(begin, offset[k]) - offset[k], to = std::min(end, offset[k + 1]) - offset[k];
        if (from < to)
          ApplyAdam(adam, to - from, gradients[k].flat<float>().data() + from, data[k] + from, data[count + k] + from,
                    data[2 * count + k] + from);
      }
    }}});
  }

 private:
  // Fewer are not worth another thread.
  static constexpr int64_t kPartWeights = 32768;
};

REGISTER_KERNEL_BUILDER(Name("LengthwiseApplyAdam").Device(tensorflow::DEVICE_CPU), ApplyAdamOp);

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_ADAM_OP_H_
