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

REGISTER_OP("LengthwiseMirroredLayout")
    .Input("active: int32")
    .Input("begins: bool")
    .Output("mirror: int32")
    .Output("begins_back: bool")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle active, begins;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 1, &active));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 1, &begins));
      for (int output = 0; output < 2; ++output) c->set_output(output, begins);
      return absl::OkStatus();
    });

// Backwards, rows are as long as forwards: they stand in the same order, and a step is where that one was which is as far
// from its row's other end.
class MirroredLayoutOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &active = context->input(0), &begins = context->input(1);
    OP_REQUIRES(context, active.dims() == 1 && begins.dims() == 1,
                InvalidArgument("active and begins: got ranks ", active.dims(), " and ", begins.dims(), "; expected 1, 1"));
    const auto rows_at = active.vec<int32_t>();
    const int64_t times = active.dim_size(0);
    std::vector<int64_t> flat(times + 1, 0);
    for (int64_t t = 0; t < times; ++t) {
      const int64_t most = t ? rows_at(t - 1) : INT32_MAX;
      OP_REQUIRES(context, rows_at(t) >= 1 && rows_at(t) <= most,
                  InvalidArgument("active: got ", rows_at(t), " rows at step ", t, "; expected 1 to ", most,
                                  ", since rows stand by falling length"));
      flat[t + 1] = flat[t] + rows_at(t);
    }
    OP_REQUIRES(context, begins.dim_size(0) == flat[times],
                InvalidArgument("begins: got ", begins.dim_size(0), " steps; expected ", flat[times],
                                ", the sum of active"));
    Tensor *mirror, *begins_back;
    OP_REQUIRES_OK(context, context->allocate_output(0, begins.shape(), &mirror));
    OP_REQUIRES_OK(context, context->allocate_output(1, begins.shape(), &begins_back));
    const bool* fresh = begins.flat<bool>().data();
    int32_t* mirror_data = mirror->flat<int32_t>().data();
    bool* back_data = begins_back->flat<bool>().data();
    int64_t length = times;
    for (int64_t rank = 0; times && rank < rows_at(0); ++rank) {
      while (rows_at(length - 1) <= rank) --length;
      for (int64_t t = 0; t < length; ++t) {
        const int64_t step = flat[length - 1 - t] + rank;
        mirror_data[step] = static_cast<int32_t>(flat[t] + rank);
        // A sequence that goes backwards begins where the next one begins forwards, or the row ends.
        back_data[step] = t == length - 1 || fresh[flat[t + 1] + rank];
      }
    }
  }
};

REGISTER_KERNEL_BUILDER(Name("LengthwiseMirroredLayout").Device(tensorflow::DEVICE_CPU), MirroredLayoutOp);

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_LAYOUT_OP_H_
