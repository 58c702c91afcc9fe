// The kernel of kernel.h as TensorFlow operations. Shapes and meanings are documented in ops.py.

#include <algorithm>
#include <numeric>
#include <vector>

#include "kernel.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/lib/core/threadpool.h"
#include "tensorflow/core/platform/blocking_counter.h"

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

// ---------------------------------------------------------------------------------------------- layout

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
    const int32_t longest = rows ? *std::max_element(lengths.begin(), lengths.end()) : 0;
    const int64_t count = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});

    Tensor *order, *active, *steps, *begins, *place;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({rows}), &order));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({longest}), &active));
    OP_REQUIRES_OK(context, context->allocate_output(2, TensorShape({count}), &steps));
    OP_REQUIRES_OK(context, context->allocate_output(3, TensorShape({count}), &begins));
    OP_REQUIRES_OK(context, context->allocate_output(4, mask.shape(), &place));

    // By counting: rows of equal length stay in their order.
    std::vector<int32_t> longer(longest + 2, 0);  // Rows longer than a length.
    for (const int32_t length : lengths) ++longer[length];
    for (int32_t length = longest; length >= 0; --length) longer[length] += longer[length + 1];
    int32_t* active_data = active->flat<int32_t>().data();
    std::copy(longer.begin() + 1, longer.begin() + 1 + longest, active_data);
    std::vector<int32_t> flat(longest + 1, 0);  // Where a time begins.
    std::partial_sum(active_data, active_data + longest, flat.begin() + 1);

    int32_t* order_data = order->flat<int32_t>().data();
    int32_t* steps_data = steps->flat<int32_t>().data();
    bool* begins_data = begins->flat<bool>().data();
    int32_t* place_data = place->flat<int32_t>().data();
    for (int64_t row = 0; row < rows; ++row) {
      const int32_t rank = longer[lengths[row] + 1]++;
      order_data[rank] = static_cast<int32_t>(row);
      int32_t time = 0, last = -1;
      bool begins_next = false;  // A reset where there is no step is for the next one.
      for (int64_t k = 0; k < width; ++k) {
        const int64_t step = row * width + (reverse_ ? width - 1 - k : k);
        begins_next |= fresh[step];
        if (valid[step]) {
          last = flat[time++] + rank;
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
    .Attr(kCells)
    .Attr("save: bool")
    .Output("outputs: float")
    .Output("last: float")
    .Output("saved: float")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle states, index;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(5), 3, &states));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 1, &index));
      c->set_output(0, c->Matrix(c->Dim(index, 0), c->Dim(states, 2)));
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
    .Input("saved: float")
    .Input("by_outputs: float")
    .Input("by_last: float")
    .Attr(kCells)
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

class RecurrentOp : public OpKernel {
 public:
  explicit RecurrentOp(OpKernelConstruction* context) : OpKernel(context) {
    std::string cell;
    OP_REQUIRES_OK(context, context->GetAttr("cell", &cell));
    kind_ = cell == "gru" ? Kind::kGRU : cell == "lstm" ? Kind::kLSTM : Kind::kSimple;
  }

 protected:
  // The problem that the first eleven inputs are, or an error: nothing is read out of bounds.
  absl::Status Read(OpKernelContext* context, Problem* p) const {
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
    TF_RETURN_IF_ERROR(Expect("kernel", context->input(7), {p->features, gates}));
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
    const int64_t threads = context->device()->tensorflow_cpu_worker_threads()->num_threads;
    const int64_t shards = threads * std::max<int64_t>(1, (p->rows + threads * kShardRows - 1) / (threads * kShardRows));
    p->shards = std::max<int64_t>(1, std::min(shards, p->rows));
    return absl::OkStatus();
  }

  static absl::Status Expect(const char* name, const Tensor& tensor, const TensorShape& shape) {
    if (tensor.shape() == shape) return absl::OkStatus();
    return InvalidArgument(name, ": got shape ", tensor.shape().DebugString(), "; expected ", shape.DebugString());
  }

  static absl::Status Scratch(OpKernelContext* context, int64_t floats, Tensor* tensor) {
    return context->allocate_temp(DT_FLOAT, TensorShape({floats}), tensor);
  }

  // Runs `work` for each shard, one of them on this thread, and waits.
  template <class Work>
  static void ForEachShard(OpKernelContext* context, int64_t shards, const Work& work) {
    tensorflow::BlockingCounter left(static_cast<int>(shards - 1));
    auto* workers = context->device()->tensorflow_cpu_worker_threads()->workers;
    for (int64_t shard = 1; shard < shards; ++shard)
      workers->Schedule([&work, &left, shard] {
        work(shard);
        left.DecrementCount();
      });
    work(0);
    left.Wait();
  }

  static absl::Status RunForward(OpKernelContext* context, const Problem& p, const Tensor& packed,
                                 const Outputs& outputs) {
    const int64_t size = ForwardScratchFloats(p);
    Tensor scratch;
    TF_RETURN_IF_ERROR(Scratch(context, size * p.shards, &scratch));
    float* own = scratch.flat<float>().data();
    const float* weights = packed.flat<float>().data();
    ForEachShard(context, p.shards, [&](int64_t shard) { Forward(p, weights, outputs, own + shard * size, shard); });
    return absl::OkStatus();
  }

  static absl::Status Packed(OpKernelContext* context, const Problem& p, Tensor* packed) {
    TF_RETURN_IF_ERROR(Scratch(context, PackedFloats(p), packed));
    Pack(p, packed->flat<float>().data());
    return absl::OkStatus();
  }

  Kind kind_;
};

class RaggedRecurrentOp : public RecurrentOp {
 public:
  explicit RaggedRecurrentOp(OpKernelConstruction* context) : RecurrentOp(context) {
    OP_REQUIRES_OK(context, context->GetAttr("save", &save_));
  }

  void Compute(OpKernelContext* context) override {
    Problem p;
    OP_REQUIRES_OK(context, Read(context, &p));
    Tensor *outputs, *last, *saved, packed;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({p.steps, p.units}), &outputs));
    OP_REQUIRES_OK(context, context->allocate_output(1, context->input(5).shape(), &last));
    OP_REQUIRES_OK(context, context->allocate_output(2, TensorShape({save_ ? SavedFloats(p) : 0}), &saved));
    OP_REQUIRES_OK(context, Packed(context, p, &packed));
    OP_REQUIRES_OK(context, RunForward(context, p, packed,
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
    OP_REQUIRES_OK(context, Read(context, &p));
    OP_REQUIRES_OK(context, Expect("by_outputs", context->input(12), TensorShape({p.steps, p.units})));
    OP_REQUIRES_OK(context, Expect("by_last", context->input(13), context->input(5).shape()));
    Tensor packed, steps, scratch, again;
    OP_REQUIRES_OK(context, Packed(context, p, &packed));
    const float* saved = context->input(11).flat<float>().data();
    if (context->input(11).NumElements() != SavedFloats(p)) {
      // The way forward did not expect this one: it is gone once more.
      OP_REQUIRES(context, context->input(11).NumElements() == 0,
                  InvalidArgument("saved: got ", context->input(11).NumElements(), " values; expected ", SavedFloats(p)));
      Tensor outputs, last;
      OP_REQUIRES_OK(context, Scratch(context, SavedFloats(p), &again));
      OP_REQUIRES_OK(context, Scratch(context, p.steps * p.units, &outputs));
      OP_REQUIRES_OK(context, Scratch(context, context->input(5).NumElements(), &last));
      OP_REQUIRES_OK(context, RunForward(context, p, packed,
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
    const int64_t size = BackwardScratchFloats(p);
    OP_REQUIRES_OK(context, Scratch(context, p.steps * p.features, &steps));
    OP_REQUIRES_OK(context, Scratch(context, size * p.shards, &scratch));
    const Gradients g = {saved,
                         context->input(12).flat<float>().data(),
                         context->input(13).flat<float>().data(),
                         steps.flat<float>().data(),
                         made[1],
                         made[0],
                         made[2],
                         made[3],
                         made[4],
                         made[5],
                         p.recurrent_bias ? made[6] : nullptr};
    float* own = scratch.flat<float>().data();
    const float* weights = packed.flat<float>().data();
    ForEachShard(context, p.shards, [&](int64_t shard) { Backward(p, weights, g, own + shard * size, shard); });
    ForEachShard(context, p.shards, [&](int64_t share) {
      AddToItems(p, g, share);
      if (share == 0) AddShards(p, g, own);
    });
  }
};

REGISTER_KERNEL_BUILDER(Name("LengthwiseRaggedRecurrent").Device(tensorflow::DEVICE_CPU), RaggedRecurrentOp);
REGISTER_KERNEL_BUILDER(Name("LengthwiseRaggedRecurrentGrad").Device(tensorflow::DEVICE_CPU), RaggedRecurrentGradOp);

}  // namespace
}  // namespace lengthwise
