// Padded rows to flat ones.

#ifndef LENGTHWISE_LAYOUT_OP_H_
#define LENGTHWISE_LAYOUT_OP_H_

#include <algorithm>
#include <numeric>
#include <vector>

#include "op_support.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace lengthwise {
namespace {

REGISTER_OP("LengthwiseRaggedLayout")
    .Input("mask: bool")
    .Input("resets: bool")
    .Attr("reverse: bool")
    .Output("order: int32")
    .Output("active: int32")
    .Output("steps: int32")
    .Output("begins: bool")
    .Output("place: int32")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle mask;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &mask));
      TF_RETURN_IF_ERROR(c->Merge(mask, c->input(1), &mask));
      c->set_output(0, c->Vector(c->Dim(mask, 0)));
      for (int output = 1; output < 4; ++output) c->set_output(output, c->Vector(c->UnknownDim()));
      c->set_output(4, mask);
      return absl::OkStatus();
    });

class RaggedLayoutOp : public OpKernel {
 public:
  explicit RaggedLayoutOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("reverse", &reverse_));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& mask = context->input(0);
    const Tensor& resets = context->input(1);
    OP_REQUIRES(context, mask.dims() == 2 && mask.shape() == resets.shape(),
                InvalidArgument("mask and resets: got ", mask.shape().DebugString(), " and ",
                                resets.shape().DebugString(), "; expected the same shape (B, T)"));
    OP_REQUIRES(context, mask.NumElements() < INT32_MAX,
                InvalidArgument("mask: got ", mask.NumElements(), " steps; expected fewer than 2^31"));
    const int64_t rows = mask.dim_size(0), width = mask.dim_size(1);
    const bool* valid = mask.flat<bool>().data();
    const bool* fresh = resets.flat<bool>().data();

    std::vector<int32_t> lengths(rows);
    for (int64_t row = 0; row < rows; ++row)
      lengths[row] = static_cast<int32_t>(std::count(valid + row * width, valid + (row + 1) * width, true));
    const int32_t longest = Longest(lengths);
    const int64_t count = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});

    Tensor *order, *active, *steps, *begins, *place;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({rows}), &order));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({longest}), &active));
    OP_REQUIRES_OK(context, context->allocate_output(2, TensorShape({count}), &steps));
    OP_REQUIRES_OK(context, context->allocate_output(3, TensorShape({count}), &begins));
    OP_REQUIRES_OK(context, context->allocate_output(4, mask.shape(), &place));

    Ranks ranks(lengths, active->flat<int32_t>().data());
    int32_t* order_data = order->flat<int32_t>().data();
    int32_t* steps_data = steps->flat<int32_t>().data();
    bool* begins_data = begins->flat<bool>().data();
    int32_t* place_data = place->flat<int32_t>().data();
    for (int64_t row = 0; row < rows; ++row) {
      const int32_t rank = ranks.Next(lengths[row]);
      order_data[rank] = static_cast<int32_t>(row);
      int32_t time = 0, last = -1;
      bool begins_next = false;  // A reset where there is no step is for the next one.
      for (int64_t k = 0; k < width; ++k) {
        const int64_t step = row * width + (reverse_ ? width - 1 - k : k);
        begins_next |= fresh[step];
        if (valid[step]) {
          last = ranks.flat[time++] + rank;
          steps_data[last] = static_cast<int32_t>(step);
          begins_data[last] = begins_next;
          begins_next = false;
        }
        place_data[step] = last;
      }
    }
  }

 private:
  bool reverse_;
};

REGISTER_KERNEL_BUILDER(Name("LengthwiseRaggedLayout").Device(tensorflow::DEVICE_CPU), RaggedLayoutOp);

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_LAYOUT_OP_H_
