// The kernel of kernel.h as TensorFlow operations. Shapes and meanings are documented in ops.py.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernel.h"
#include "parallel.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/resource_mgr.h"
#include "tensorflow/core/framework/resource_var.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace lengthwise {
namespace {

using tensorflow::AllocatorAttributes;
using tensorflow::DT_BOOL;
using tensorflow::DT_FLOAT;
using tensorflow::DT_INT32;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

template <class... Parts>
absl::Status InvalidArgument(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

absl::Status Expect(const char* name, const Tensor& tensor, const TensorShape& shape) {
  if (tensor.shape() == shape) return absl::OkStatus();
  return InvalidArgument(name, ": got shape ", tensor.shape().DebugString(), "; expected ", shape.DebugString());
}

// ---------------------------------------------------------------------------------------------- layout

int32_t Longest(const std::vector<int32_t>& lengths) {
  return lengths.empty() ? 0 : *std::max_element(lengths.begin(), lengths.end());
}

// The place of each row when they stand by falling length; by counting, so that rows of equal length stay in their order.
struct Ranks {
  std::vector<int32_t> flat;    // Where a time begins.
  std::vector<int32_t> longer;  // Rows longer than a length, and those of this length that have their place.

  Ranks(const std::vector<int32_t>& lengths, int32_t* active) {
    const int32_t longest = Longest(lengths);
    longer.assign(longest + 2, 0);
    for (const int32_t length : lengths) ++longer[length];
    for (int32_t length = longest; length >= 0; --length) longer[length] += longer[length + 1];
    std::copy(longer.begin() + 1, longer.begin() + 1 + longest, active);
    flat.assign(longest + 1, 0);
    std::partial_sum(active, active + longest, flat.begin() + 1);
  }

  int32_t Next(int32_t length) { return longer[length + 1]++; }
};

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

// ---------------------------------------------------------------------------------------------- batch

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

// ---------------------------------------------------------------------------------------------- recurrent

constexpr char kCells[] = "cell: {'gru', 'lstm', 'simple'}";
// Rows of a shard, at most: more do not fit into the second cache.
constexpr int64_t kShardRows = 128;

REGISTER_OP("LengthwiseRaggedRecurrent")
    .Input("inputs: float")
    .Input("index: int32")
    .Input("active: int32")
    .Input("order: int32")
    .Input("begins: bool")
    .Input("states: float")
    .Input("initial: float")
    .Input("kernel: float")
    .Input("recurrent_kernel: float")
    .Input("bias: float")
    .Input("recurrent_bias: float")
    .Input("read: int32")
    .Attr(kCells)
    .Attr("projected: bool = false")
    .Attr("read_all: bool = true")
    .Attr("save: bool")
    .Output("outputs: float")
    .Output("last: float")
    .Output("saved: float")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle states, index, read;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(5), 3, &states));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 1, &index));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(11), 1, &read));
      bool read_all;
      TF_RETURN_IF_ERROR(c->GetAttr("read_all", &read_all));
      c->set_output(0, c->Matrix(c->Dim(read_all ? index : read, 0), c->Dim(states, 2)));
      c->set_output(1, states);
      c->set_output(2, c->Vector(c->UnknownDim()));
      return absl::OkStatus();
    });

REGISTER_OP("LengthwiseRaggedRecurrentGrad")
    .Input("inputs: float")
    .Input("index: int32")
    .Input("active: int32")
    .Input("order: int32")
    .Input("begins: bool")
    .Input("states: float")
    .Input("initial: float")
    .Input("kernel: float")
    .Input("recurrent_kernel: float")
    .Input("bias: float")
    .Input("recurrent_bias: float")
    .Input("read: int32")
    .Input("saved: float")
    .Input("by_outputs: float")
    .Input("by_last: float")
    .Attr(kCells)
    .Attr("projected: bool = false")
    .Attr("read_all: bool = true")
    .Output("by_inputs: float")
    .Output("by_states: float")
    .Output("by_initial: float")
    .Output("by_kernel: float")
    .Output("by_recurrent_kernel: float")
    .Output("by_bias: float")
    .Output("by_recurrent_bias: float")
    .SetShapeFn([](InferenceContext* c) {
      const int of[] = {0, 5, 6, 7, 8, 9, 10};
      for (int output = 0; output < 7; ++output) c->set_output(output, c->input(of[output]));
      return absl::OkStatus();
    });

// Which items the steps read, and which steps read an item.
struct Readers {
  std::vector<int32_t> items_used, slot, offset, reader;

  void Find(const int32_t* index, int64_t steps, int64_t items) {
    slot.resize(steps);
    std::vector<int32_t> place(items, -1);
    for (int64_t step = 0; step < steps; ++step) {
      int32_t& here = place[index[step]];
      if (here < 0) {
        here = static_cast<int32_t>(items_used.size());
        items_used.push_back(index[step]);
      }
      slot[step] = here;
    }
  }

  // By counting: the steps of an item stay in their order.
  void Group() {
    offset.assign(items_used.size() + 1, 0);
    for (const int32_t item : slot) ++offset[item + 1];
    std::partial_sum(offset.begin(), offset.end(), offset.begin());
    std::vector<int32_t> next(offset.begin(), offset.end() - 1);
    reader.resize(slot.size());
    for (size_t step = 0; step < slot.size(); ++step) reader[next[slot[step]]++] = static_cast<int32_t>(step);
  }
};

class RecurrentOp : public OpKernel {
 public:
  explicit RecurrentOp(OpKernelConstruction* context) : OpKernel(context) {
    std::string cell;
    OP_REQUIRES_OK(context, context->GetAttr("cell", &cell));
    OP_REQUIRES_OK(context, context->GetAttr("projected", &projected_));
    OP_REQUIRES_OK(context, context->GetAttr("read_all", &read_all_));
    kind_ = cell == "gru" ? Kind::kGRU : cell == "lstm" ? Kind::kLSTM : Kind::kSimple;
  }

 protected:
  // The problem that the first twelve inputs are, or an error: nothing is read out of bounds.
  absl::Status Read(OpKernelContext* context, Problem* p, std::vector<int32_t>* read_place) const {
    const Tensor &inputs = context->input(0), &index = context->input(1), &active = context->input(2),
                 &order = context->input(3), &begins = context->input(4), &states = context->input(5);
    if (inputs.dims() != 2 || index.dims() != 1 || active.dims() != 1 || order.dims() != 1 || states.dims() != 3)
      return InvalidArgument("inputs, index, active, order, states: got ranks ", inputs.dims(), ", ", index.dims(), ", ",
                             active.dims(), ", ", order.dims(), ", ", states.dims(), "; expected 2, 1, 1, 1, 3");
    p->kind = kind_;
    p->items = inputs.dim_size(0);
    p->features = inputs.dim_size(1);
    p->steps = index.dim_size(0);
    p->times = active.dim_size(0);
    p->rows = order.dim_size(0);
    p->units = states.dim_size(2);
    const int64_t gates = GatesOf(kind_) * p->units, cells = StatesOf(kind_);
    TF_RETURN_IF_ERROR(Expect("begins", begins, {p->steps}));
    TF_RETURN_IF_ERROR(Expect("states", states, {cells, p->rows, p->units}));
    TF_RETURN_IF_ERROR(Expect("initial", context->input(6), {cells, p->units}));
    if (projected_ && p->features != gates)
      return InvalidArgument("inputs: got ", p->features, " features; expected ", gates, ", since they are projected");
    p->projected = projected_;
    TF_RETURN_IF_ERROR(Expect("kernel", context->input(7), {projected_ ? 0 : p->features, gates}));
    TF_RETURN_IF_ERROR(Expect("recurrent_kernel", context->input(8), {p->units, gates}));
    TF_RETURN_IF_ERROR(Expect("bias", context->input(9), {gates}));
    TF_RETURN_IF_ERROR(Expect("recurrent_bias", context->input(10), {kind_ == Kind::kGRU ? gates : 0}));

    p->inputs = inputs.flat<float>().data();
    p->index = index.flat<int32_t>().data();
    p->active = active.flat<int32_t>().data();
    p->order = order.flat<int32_t>().data();
    p->resets = begins.flat<bool>().data();
    p->states = states.flat<float>().data();
    p->initial = context->input(6).flat<float>().data();
    p->kernel = context->input(7).flat<float>().data();
    p->recurrent_kernel = context->input(8).flat<float>().data();
    p->bias = context->input(9).flat<float>().data();
    p->recurrent_bias = kind_ == Kind::kGRU ? context->input(10).flat<float>().data() : nullptr;

    int64_t steps = 0, most = p->rows;
    for (int64_t t = 0; t < p->times; ++t) {
      if (p->active[t] < 1 || p->active[t] > most)
        return InvalidArgument("active: got ", p->active[t], " rows at step ", t, "; expected 1 to ", most,
                               ", since rows stand by falling length");
      steps += most = p->active[t];
    }
    if (steps != p->steps)
      return InvalidArgument("index: got ", p->steps, " steps; expected ", steps, ", the sum of active");
    for (int64_t step = 0; step < p->steps; ++step)
      if (p->index[step] < 0 || p->index[step] >= p->items)
        return InvalidArgument("index: got ", p->index[step], " at ", step, "; expected 0 to ", p->items - 1);
    std::vector<bool> seen(p->rows, false);
    for (int64_t row = 0; row < p->rows; ++row) {
      if (p->order[row] < 0 || p->order[row] >= p->rows || seen[p->order[row]])
        return InvalidArgument("order: got ", p->order[row], " at ", row, "; expected each of 0 to ", p->rows - 1, " once");
      seen[p->order[row]] = true;
    }
    p->read = nullptr;
    if (!read_all_) {
      const Tensor& read = context->input(11);
      if (read.dims() != 1) return InvalidArgument("read: got rank ", read.dims(), "; expected 1");
      read_place->assign(p->steps, -1);
      for (int64_t k = 0; k < read.dim_size(0); ++k) {
        const int32_t step = read.vec<int32_t>()(k);
        if (step < 0 || step >= p->steps || (*read_place)[step] >= 0)
          return InvalidArgument("read: got ", step, " at ", k, "; expected each of 0 to ", p->steps - 1, " once or never");
        (*read_place)[step] = static_cast<int32_t>(k);
      }
      p->read = read_place->data();
    }
    p->outputs = read_all_ ? p->steps : context->input(11).dim_size(0);
    const int64_t threads = Threads(context);
    const int64_t shards = threads * std::max<int64_t>(1, (p->rows + threads * kShardRows - 1) / (threads * kShardRows));
    p->shards = std::max<int64_t>(1, std::min(shards, p->rows));
    return absl::OkStatus();
  }

  static absl::Status Scratch(OpKernelContext* context, int64_t floats, Tensor* tensor) {
    return context->allocate_temp(DT_FLOAT, TensorShape({floats}), tensor);
  }

  // Before it is known which items are used: as many as there can be.
  static absl::Status Expecting(OpKernelContext* context, Problem* p, Tensor* packed) {
    p->used = std::min(p->items, p->steps);
    return Scratch(context, PackedFloats(*p), packed);
  }

  // Packs the weights while another thread finds out which items are used.
  static Phase Preparing(bool back, Problem* p, Readers* readers, float* packed) {
    return {2, [=](int64_t part) {
              if (part) return Pack(*p, back, packed);
              readers->Find(p->index, p->steps, p->items);
              if (back) readers->Group();
              p->used = static_cast<int64_t>(readers->items_used.size());
              p->items_used = readers->items_used.data();
              p->slot = readers->slot.data();
            }};
  }

  static absl::Status RunForward(OpKernelContext* context, Problem* p, const Outputs& outputs) {
    Readers readers;
    Tensor packed, projected, scratch;
    TF_RETURN_IF_ERROR(Expecting(context, p, &packed));
    const int64_t size = ForwardScratchFloats(*p);
    TF_RETURN_IF_ERROR(Scratch(context, ProjectedFloats(*p), &projected));
    TF_RETURN_IF_ERROR(Scratch(context, size * p->shards, &scratch));
    float *weights = packed.flat<float>().data(), *items = projected.flat<float>().data(), *own = scratch.flat<float>().data();
    Phases::Run(context,
                {Preparing(false, p, &readers, weights),
                 {p->shards, [=](int64_t share) { Project(*p, weights, items, own + share * size, share); }},
                 {p->shards, [=](int64_t shard) { Forward(*p, weights, items, outputs, own + shard * size, shard); }}});
    return absl::OkStatus();
  }

  Kind kind_;
  bool projected_, read_all_;
};

class RaggedRecurrentOp : public RecurrentOp {
 public:
  explicit RaggedRecurrentOp(OpKernelConstruction* context) : RecurrentOp(context) {
    OP_REQUIRES_OK(context, context->GetAttr("save", &save_));
  }

  void Compute(OpKernelContext* context) override {
    Problem p;
    std::vector<int32_t> read_place;
    OP_REQUIRES_OK(context, Read(context, &p, &read_place));
    Tensor *outputs, *last, *saved;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({p.outputs, p.units}), &outputs));
    OP_REQUIRES_OK(context, context->allocate_output(1, context->input(5).shape(), &last));
    OP_REQUIRES_OK(context, context->allocate_output(2, TensorShape({save_ ? SavedFloats(p) : 0}), &saved));
    OP_REQUIRES_OK(context, RunForward(context, &p,
                                       {outputs->flat<float>().data(), last->flat<float>().data(),
                                        save_ ? saved->flat<float>().data() : nullptr}));
  }

 private:
  bool save_;
};

class RaggedRecurrentGradOp : public RecurrentOp {
 public:
  using RecurrentOp::RecurrentOp;

  void Compute(OpKernelContext* context) override {
    Problem p;
    std::vector<int32_t> read_place;
    OP_REQUIRES_OK(context, Read(context, &p, &read_place));
    OP_REQUIRES_OK(context, Expect("by_outputs", context->input(13), TensorShape({p.outputs, p.units})));
    OP_REQUIRES_OK(context, Expect("by_last", context->input(14), context->input(5).shape()));
    Readers readers;
    Tensor packed, gates, place, scratch, again;
    const float* saved = context->input(12).flat<float>().data();
    if (context->input(12).NumElements() != SavedFloats(p)) {
      // The way forward did not expect this one: it is gone once more.
      OP_REQUIRES(context, context->input(12).NumElements() == 0,
                  InvalidArgument("saved: got ", context->input(12).NumElements(), " values; expected ", SavedFloats(p)));
      Tensor outputs, last;
      OP_REQUIRES_OK(context, Scratch(context, SavedFloats(p), &again));
      OP_REQUIRES_OK(context, Scratch(context, p.outputs * p.units, &outputs));
      OP_REQUIRES_OK(context, Scratch(context, context->input(5).NumElements(), &last));
      OP_REQUIRES_OK(context, RunForward(context, &p,
                                         {outputs.flat<float>().data(), last.flat<float>().data(),
                                          again.flat<float>().data()}));
      saved = again.flat<float>().data();
    }
    float* made[7];
    const int of[] = {0, 5, 6, 7, 8, 9, 10};
    for (int output = 0; output < 7; ++output) {
      Tensor* tensor;
      OP_REQUIRES_OK(context, context->allocate_output(output, context->input(of[output]).shape(), &tensor));
      made[output] = tensor->flat<float>().data();
    }
    OP_REQUIRES_OK(context, Expecting(context, &p, &packed));
    const int64_t size = BackwardScratchFloats(p);
    OP_REQUIRES_OK(context, Scratch(context, GatesFloats(p), &gates));
    OP_REQUIRES_OK(context, context->allocate_temp(DT_INT32, TensorShape({p.steps}), &place));
    OP_REQUIRES_OK(context, Scratch(context, size * p.shards, &scratch));
    Gradients g = {saved,
                   context->input(13).flat<float>().data(),
                   context->input(14).flat<float>().data(),
                   nullptr,
                   nullptr,
                   gates.flat<float>().data(),
                   place.flat<int32_t>().data(),
                   made[1],
                   made[0],
                   made[2],
                   made[3],
                   made[4],
                   made[5],
                   p.recurrent_bias ? made[6] : nullptr};
    float *own = scratch.flat<float>().data(), *weights = packed.flat<float>().data();
    const Phase preparing = Preparing(true, &p, &readers, weights);
    Phases::Run(context,
                {{preparing.count,
                  [&](int64_t part) {
                    preparing.work(part);
                    if (part) return;
                    g.reader_offset = readers.offset.data();
                    g.reader = readers.reader.data();
                  }},
                 {p.shards, [&](int64_t shard) { Backward(p, weights, g, own + shard * size, shard); }},
                 {p.shards, [&](int64_t share) { ProjectBackward(p, weights, g, own + share * size, share); }}});
    AddShards(p, g, own);
  }
};

REGISTER_KERNEL_BUILDER(Name("LengthwiseRaggedRecurrent").Device(tensorflow::DEVICE_CPU), RaggedRecurrentOp);
REGISTER_KERNEL_BUILDER(Name("LengthwiseRaggedRecurrentGrad").Device(tensorflow::DEVICE_CPU), RaggedRecurrentGradOp);

// ---------------------------------------------------------------------------------------------- dropout

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

// ---------------------------------------------------------------------------------------------- Adam

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
