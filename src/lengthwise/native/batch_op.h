// A batch of a plan, flat.

#ifndef LENGTHWISE_BATCH_OP_H_
#define LENGTHWISE_BATCH_OP_H_

#include <vector>

#include "op_support.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace lengthwise {
namespace {

REGISTER_OP("LengthwiseFlatBatch")
    .Input("number: int64")
    .Input("offsets: int64")
    .Input("sequence: int32")
    .Input("start: int32")
    .Input("stop: int32")
    .Input("row: int32")
    .Input("tokens: int32")
    .Input("token_offsets: int64")
    .Input("label: int32")
    .Attr("every_step: bool")
    .Output("order: int32")
    .Output("active: int32")
    .Output("begins: bool")
    .Output("ids: int32")
    .Output("read: int32")
    .Output("labels: int32")
    .Output("continues: bool")
    .SetShapeFn([](InferenceContext* c) {
      for (int output = 0; output < 6; ++output) c->set_output(output, c->Vector(c->UnknownDim()));
      c->set_output(6, c->Scalar());
      return absl::OkStatus();
    });

class FlatBatchOp : public OpKernel {
 public:
  explicit FlatBatchOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("every_step", &every_step_));
  }

  void Compute(OpKernelContext* context) override {
    for (int input = 1; input < 9; ++input)
      OP_REQUIRES(context, context->input(input).dims() == 1,
                  InvalidArgument("input ", input, ": got rank ", context->input(input).dims(), "; expected 1"));
    const auto offsets = context->input(1).vec<int64_t>();
    const auto sequence = context->input(2).vec<int32_t>(), start = context->input(3).vec<int32_t>(),
               stop = context->input(4).vec<int32_t>(), row = context->input(5).vec<int32_t>(),
               tokens = context->input(6).vec<int32_t>();
    const auto token_offsets = context->input(7).vec<int64_t>();
    const auto label = context->input(8).vec<int32_t>();
    OP_REQUIRES(context, context->input(0).dims() == 0, InvalidArgument("number: expected a scalar"));
    const int64_t number = context->input(0).scalar<int64_t>()();
    OP_REQUIRES(context, number >= 0 && number + 1 < offsets.size(),
                InvalidArgument("number: got ", number, "; expected 0 to ", offsets.size() - 2));
    const int64_t from = offsets(number), to = offsets(number + 1), spans = sequence.size();
    OP_REQUIRES(context, 0 <= from && from < to && to <= spans && start.size() == spans && stop.size() == spans &&
                             row.size() == spans && token_offsets.size() == label.size() + 1,
                InvalidArgument("plan: batch ", number, " has the spans ", from, " to ", to, " of ", spans,
                                "; expected some of them, in columns of one length"));

    // A batch's sequences lie all over the memory: what is known of them is on its way before it is needed.
    const auto known = [&](int64_t span) { return sequence(span) >= 0 && sequence(span) < label.size(); };
    for (int64_t span = from; span < to; ++span) {
      if (!known(span)) continue;
      __builtin_prefetch(token_offsets.data() + sequence(span));
      __builtin_prefetch(label.data() + sequence(span));
    }
    for (int64_t span = from; span < to; ++span)
      if (known(span)) __builtin_prefetch(tokens.data() + token_offsets(sequence(span)) + start(span));

    std::vector<int32_t> lengths;
    int64_t count = 0, finished = 0;
    bool goes_on = false;
    for (int64_t span = from; span < to; ++span) {
      const int64_t which = sequence(span);
      OP_REQUIRES(context, known(span),
                  InvalidArgument("sequence: got ", which, "; expected 0 to ", label.size() - 1));
      const int64_t length = token_offsets(which + 1) - token_offsets(which);
      OP_REQUIRES(context, token_offsets(which) >= 0 && token_offsets(which + 1) <= tokens.size() && start(span) >= 0 &&
                               start(span) < stop(span) && stop(span) <= length,
                  InvalidArgument("span: got ", start(span), " to ", stop(span), " of a sequence of ", length, " tokens"));
      OP_REQUIRES(context, row(span) == static_cast<int64_t>(lengths.size()) || row(span) + 1 == static_cast<int64_t>(lengths.size()),
                  InvalidArgument("row: got ", row(span), " after ", lengths.size(), " rows; expected rows in order"));
      if (row(span) == static_cast<int64_t>(lengths.size())) lengths.push_back(0);
      lengths.back() += stop(span) - start(span);
      count += stop(span) - start(span);
      finished += stop(span) == length;
      goes_on |= start(span) > 0;
    }
    Tensor *order, *active, *begins, *ids, *read, *labels, *continues;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({static_cast<int64_t>(lengths.size())}), &order));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({Longest(lengths)}), &active));
    OP_REQUIRES_OK(context, context->allocate_output(2, TensorShape({count}), &begins));
    OP_REQUIRES_OK(context, context->allocate_output(3, TensorShape({count}), &ids));
    OP_REQUIRES_OK(context, context->allocate_output(4, TensorShape({every_step_ ? 0 : finished}), &read));
    OP_REQUIRES_OK(context, context->allocate_output(5, TensorShape({every_step_ ? count : finished}), &labels));
    OP_REQUIRES_OK(context, context->allocate_output(6, TensorShape({}), &continues));
    continues->scalar<bool>()() = goes_on;

    Ranks ranks(lengths, active->flat<int32_t>().data());
    auto order_data = order->vec<int32_t>();
    auto begins_data = begins->vec<bool>();
    auto ids_data = ids->vec<int32_t>(), read_data = read->vec<int32_t>(), labels_data = labels->vec<int32_t>();
    int64_t said = 0;
    int32_t here = -1, rank = 0, time = 0;
    for (int64_t span = from; span < to; ++span) {
      if (row(span) != here) {
        here = row(span);
        rank = ranks.Next(lengths[here]);
        order_data(rank) = here;
        time = 0;
      }
      const int32_t* words = tokens.data() + token_offsets(sequence(span));
      const int32_t right = label(sequence(span));
      int32_t step = 0;
      for (int32_t token = start(span); token < stop(span); ++token, ++time) {
        step = ranks.flat[time] + rank;
        ids_data(step) = words[token];
        begins_data(step) = token == 0;
        if (every_step_) labels_data(step) = right;
      }
      if (!every_step_ && stop(span) == token_offsets(sequence(span) + 1) - token_offsets(sequence(span))) {
        read_data(said) = step;
        labels_data(said++) = right;
      }
    }
  }

 private:
  bool every_step_;
};

REGISTER_KERNEL_BUILDER(Name("LengthwiseFlatBatch").Device(tensorflow::DEVICE_CPU), FlatBatchOp);

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_BATCH_OP_H_
