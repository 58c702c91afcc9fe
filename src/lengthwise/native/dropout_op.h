// Dropout.

#ifndef LENGTHWISE_DROPOUT_OP_H_
#define LENGTHWISE_DROPOUT_OP_H_

#include <algorithm>

#include "kernel.h"
#include "op_support.h"
#include "parallel.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace lengthwise {
namespace {

REGISTER_OP("LengthwiseDropout")
    .Input("values: float")
    .Input("seed: int32")
    .Attr("rate: float")
    .Output("dropped: float")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

class DropoutOp : public OpKernel {
 public:
  explicit DropoutOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("rate", &rate_));
    OP_REQUIRES(context, 0 <= rate_ && rate_ < 1, InvalidArgument("rate: got ", rate_, "; expected 0 to below 1"));
  }

  void Compute(OpKernelContext* context) override {
    OP_REQUIRES_OK(context, Expect("seed", context->input(1), {2}));
    const Tensor& values = context->input(0);
    Tensor* dropped;
    OP_REQUIRES_OK(context, context->allocate_output(0, values.shape(), &dropped));
    const uint32_t key[2] = {static_cast<uint32_t>(context->input(1).vec<int32_t>()(0)),
                             static_cast<uint32_t>(context->input(1).vec<int32_t>()(1))};
    const auto keep = static_cast<uint32_t>(std::min((1 - double{rate_}) * 4294967296.0, 4294967295.0));
    const float* from = values.flat<float>().data();
    float* to = dropped->flat<float>().data();
    const int64_t count = values.NumElements(), groups = (count + kDropoutGroup - 1) / kDropoutGroup;
    const int64_t parts = std::max<int64_t>(1, groups / kPartGroups);
    Phases::Run(context, {{parts, [&](int64_t part) {
                             Dropout(key, keep, 1 / (1 - rate_), groups * part / parts * kDropoutGroup,
                                     std::min(count, groups * (part + 1) / parts * kDropoutGroup), from, to);
                           }}});
  }

 private:
  // Fewer are not worth another thread.
  static constexpr int64_t kPartGroups = 512;
  float rate_;
};

REGISTER_KERNEL_BUILDER(Name("LengthwiseDropout").Device(tensorflow::DEVICE_CPU), DropoutOp);

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_DROPOUT_OP_H_
