// A recurrent layer over flat rows, and its gradient.

#ifndef LENGTHWISE_RECURRENT_OP_H_
#define LENGTHWISE_RECURRENT_OP_H_

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "kernel.h"
#include "op_support.h"
#include "parallel.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace lengthwise {
namespace {

constexpr char kCells[] = "cell: {'gru', 'layer_norm_gru', 'layer_norm_lstm', 'layer_norm_simple', 'lstm', 'peephole_lstm', 'simple'}";
// The inputs that have a gradient, in the order of the outputs that they are.
constexpr int kDifferentiable = 8;
constexpr int kInputOf[kDifferentiable] = {0, 5, 6, 7, 8, 9, 10, 11};
// The others come behind them.
constexpr int kRead = 12, kSaved = 13, kByOutputs = 14, kByLast = 15;
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
    .Input("vectors: float")
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
      TF_RETURN_IF_ERROR(c->WithRank(c->input(kRead), 1, &read));
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
    .Input("vectors: float")
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
    .Output("by_vectors: float")
    .SetShapeFn([](InferenceContext* c) {
      for (int output = 0; output < kDifferentiable; ++output) c->set_output(output, c->input(kInputOf[output]));
      return absl::OkStatus();
    });

Kind KindOf(const std::string& cell) {
  if (cell == "gru") return Kind::kGRU;
  if (cell == "lstm") return Kind::kLSTM;
  if (cell == "peephole_lstm") return Kind::kPeepholeLSTM;
  if (cell == "layer_norm_simple") return Kind::kLayerNormSimple;
  if (cell == "layer_norm_lstm") return Kind::kLayerNormLSTM;
  if (cell == "layer_norm_gru") return Kind::kLayerNormGRU;
  return Kind::kSimple;
}

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
    kind_ = KindOf(cell);
  }

 protected:
  // The problem that the first thirteen inputs are, or an error: nothing is read out of bounds.
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
    TF_RETURN_IF_ERROR(Expect("recurrent_bias", context->input(10), {HasRecurrentBias(kind_) ? gates : 0}));
    TF_RETURN_IF_ERROR(Expect("vectors", context->input(11), {VectorsOf(kind_), p->units}));

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
    p->recurrent_bias = HasRecurrentBias(kind_) ? context->input(10).flat<float>().data() : nullptr;
    p->vectors = context->input(11).flat<float>().data();

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
      const Tensor& read = context->input(kRead);
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
    p->outputs = read_all_ ? p->steps : context->input(kRead).dim_size(0);
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
                 {p->shards, [=](int64_t share) { Project(*p, weights, items, outputs.saved, own + share * size, share); }},
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
    OP_REQUIRES_OK(context, Expect("by_outputs", context->input(kByOutputs), TensorShape({p.outputs, p.units})));
    OP_REQUIRES_OK(context, Expect("by_last", context->input(kByLast), context->input(5).shape()));
    Readers readers;
    Tensor packed, gates, place, scratch, again;
    const float* saved = context->input(kSaved).flat<float>().data();
    if (context->input(kSaved).NumElements() != SavedFloats(p)) {
      // The way forward did not expect this one: it is gone once more.
      OP_REQUIRES(context, context->input(kSaved).NumElements() == 0,
                  InvalidArgument("saved: got ", context->input(kSaved).NumElements(), " values; expected ", SavedFloats(p)));
      Tensor outputs, last;
      OP_REQUIRES_OK(context, Scratch(context, SavedFloats(p), &again));
      OP_REQUIRES_OK(context, Scratch(context, p.outputs * p.units, &outputs));
      OP_REQUIRES_OK(context, Scratch(context, context->input(5).NumElements(), &last));
      OP_REQUIRES_OK(context, RunForward(context, &p,
                                         {outputs.flat<float>().data(), last.flat<float>().data(),
                                          again.flat<float>().data()}));
      saved = again.flat<float>().data();
    }
    float* made[kDifferentiable];
    for (int output = 0; output < kDifferentiable; ++output) {
      Tensor* tensor;
      OP_REQUIRES_OK(context, context->allocate_output(output, context->input(kInputOf[output]).shape(), &tensor));
      made[output] = tensor->flat<float>().data();
    }
    OP_REQUIRES_OK(context, Expecting(context, &p, &packed));
    const int64_t size = BackwardScratchFloats(p);
    OP_REQUIRES_OK(context, Scratch(context, GatesFloats(p), &gates));
    OP_REQUIRES_OK(context, context->allocate_temp(DT_INT32, TensorShape({p.steps}), &place));
    OP_REQUIRES_OK(context, Scratch(context, size * p.shards, &scratch));
    Gradients g = {saved,
                   context->input(kByOutputs).flat<float>().data(),
                   context->input(kByLast).flat<float>().data(),
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
                   p.recurrent_bias ? made[6] : nullptr,
                   made[7]};
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

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_RECURRENT_OP_H_
