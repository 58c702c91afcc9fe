// A convolution over the time of flat rows: which steps its outputs read, which products they share, and their sums.

#ifndef LENGTHWISE_CONVOLUTION_OP_H_
#define LENGTHWISE_CONVOLUTION_OP_H_

#include <algorithm>
#include <vector>

#include "op_support.h"
#include "parallel.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace lengthwise {
namespace {

REGISTER_OP("LengthwiseConvolutionSteps")
    .Input("active: int32")
    .Input("active_behind: int32")
    .Attr("kernel_size: int >= 1")
    .Attr("stride: int >= 1")
    .Attr("before: int >= 0")
    .Output("steps: int32")
    .SetShapeFn([](InferenceContext* c) {
      int kernel_size;
      TF_RETURN_IF_ERROR(c->GetAttr("kernel_size", &kernel_size));
      c->set_output(0, c->Matrix(c->UnknownDim(), kernel_size));
      return absl::OkStatus();
    });

// Where each time begins, and, last, how many steps there are; rows stand by falling length.
absl::Status TimesBegin(const char* name, const Tensor& active, std::vector<int64_t>* begins) {
  if (active.dims() != 1) return InvalidArgument(name, ": got rank ", active.dims(), "; expected 1");
  const auto rows = active.vec<int32_t>();
  begins->assign(1, 0);
  for (int64_t t = 0; t < rows.size(); ++t) {
    const int32_t most = t ? rows(t - 1) : INT32_MAX;
    if (rows(t) < 1 || rows(t) > most)
      return InvalidArgument(name, ": got ", rows(t), " rows at step ", t, "; expected 1 to ", most,
                             ", since rows stand by falling length");
    begins->push_back(begins->back() + rows(t));
  }
  return absl::OkStatus();
}

// The tap k of an output at the time t is over the step at the time t stride - before + k. The rows that have both are the
// first ones at both times, so no step is looked for.
class ConvolutionStepsOp : public OpKernel {
 public:
  explicit ConvolutionStepsOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("kernel_size", &taps_));
    OP_REQUIRES_OK(context, context->GetAttr("stride", &stride_));
    OP_REQUIRES_OK(context, context->GetAttr("before", &before_));
  }

  void Compute(OpKernelContext* context) override {
    std::vector<int64_t> from, to;
    OP_REQUIRES_OK(context, TimesBegin("active", context->input(0), &from));
    OP_REQUIRES_OK(context, TimesBegin("active_behind", context->input(1), &to));
    OP_REQUIRES(context, from.back() < INT32_MAX && to.back() < INT32_MAX / taps_,
                InvalidArgument("kernel_size: got ", taps_, " for ", to.back(), " of ", from.back(),
                                " steps; expected fewer than 2^31 products"));
    const auto rows = context->input(0).vec<int32_t>(), rows_behind = context->input(1).vec<int32_t>();
    Tensor* steps;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({to.back(), taps_}), &steps));
    int32_t* steps_data = steps->flat<int32_t>().data();
    std::fill_n(steps_data, steps->NumElements(), -1);
    for (int64_t t = 0; t < rows_behind.size(); ++t)
      for (int64_t tap = 0; tap < taps_; ++tap) {
        const int64_t time = t * stride_ - before_ + tap;
        if (time < 0 || time >= rows.size()) continue;
        const int64_t both = std::min(rows_behind(t), rows(time));
        for (int64_t row = 0; row < both; ++row)
          steps_data[(to[t] + row) * taps_ + tap] = static_cast<int32_t>(from[time] + row);
      }
  }

 private:
  int64_t taps_, stride_, before_;
};

REGISTER_KERNEL_BUILDER(Name("LengthwiseConvolutionSteps").Device(tensorflow::DEVICE_CPU), ConvolutionStepsOp);

REGISTER_OP("LengthwiseSharedProducts")
    .Input("steps: int32")
    .Input("index: int32")
    .Input("items: int32")
    .Output("read: int32")
    .Output("place: int32")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle steps;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &steps));
      c->set_output(0, c->Matrix(c->Dim(steps, 1), c->UnknownDim()));
      c->set_output(1, steps);
      return absl::OkStatus();
    });

// A step's item and a tap have one product, however many outputs add it.
class SharedProductsOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &steps = context->input(0), &index = context->input(1);
    OP_REQUIRES(context, steps.dims() == 2 && index.dims() == 1,
                InvalidArgument("steps and index: got ranks ", steps.dims(), " and ", index.dims(), "; expected 2, 1"));
    OP_REQUIRES_OK(context, Expect("items", context->input(2), {}));
    const int32_t items = context->input(2).scalar<int32_t>()();
    const int64_t outputs = steps.dim_size(0), taps = steps.dim_size(1), count = index.dim_size(0);
    const int32_t *step_of = steps.flat<int32_t>().data(), *item_of = index.flat<int32_t>().data();
    OP_REQUIRES(context, items >= 0, InvalidArgument("items: got ", items, "; expected at least 0"));
    for (int64_t k = 0; k < steps.NumElements(); ++k)
      OP_REQUIRES(context, step_of[k] < count,
                  InvalidArgument("steps: got ", step_of[k], "; expected at most ", count - 1));
    for (int64_t step = 0; step < count; ++step)
      OP_REQUIRES(context, item_of[step] >= 0 && item_of[step] < items,
                  InvalidArgument("index: got ", item_of[step], "; expected 0 to ", items - 1));
    Tensor *read, *place;
    OP_REQUIRES_OK(context, context->allocate_output(1, steps.shape(), &place));
    int32_t* place_data = place->flat<int32_t>().data();
    // By tap the items that it reads, in the order in which it comes to them; and their places there.
    std::vector<std::vector<int32_t>> read_by(taps);
    std::vector<int32_t> found(items);
    int64_t most = 0;
    for (int64_t tap = 0; tap < taps; ++tap) {
      std::fill(found.begin(), found.end(), -1);
      for (int64_t k = tap; k < outputs * taps; k += taps) {
        place_data[k] = -1;
        if (step_of[k] < 0) continue;
        int32_t& where = found[item_of[step_of[k]]];
        if (where < 0) {
          where = static_cast<int32_t>(read_by[tap].size());
          read_by[tap].push_back(item_of[step_of[k]]);
        }
        place_data[k] = where;
      }
      most = std::max<int64_t>(most, read_by[tap].size());
    }
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({taps, most}), &read));
    int32_t* read_data = read->flat<int32_t>().data();
    std::fill_n(read_data, taps * most, -1);
    for (int64_t tap = 0; tap < taps; ++tap) {
      std::copy(read_by[tap].begin(), read_by[tap].end(), read_data + tap * most);
      for (int64_t k = tap; k < outputs * taps; k += taps)
        if (place_data[k] >= 0) place_data[k] += static_cast<int32_t>(tap * most);
    }
  }
};

REGISTER_KERNEL_BUILDER(Name("LengthwiseSharedProducts").Device(tensorflow::DEVICE_CPU), SharedProductsOp);

REGISTER_OP("LengthwiseSumRows")
    .Input("rows: float")
    .Input("which: int32")
    .Output("sums: float")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle rows, which;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &rows));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 2, &which));
      c->set_output(0, c->Matrix(c->Dim(which, 0), c->Dim(rows, 1)));
      return absl::OkStatus();
    });

REGISTER_OP("LengthwiseSumRowsGrad")
    .Input("by_sums: float")
    .Input("which: int32")
    .Input("count: int32")
    .Output("by_rows: float")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle by_sums;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &by_sums));
      c->set_output(0, c->Matrix(c->UnknownDim(), c->Dim(by_sums, 1)));
      return absl::OkStatus();
    });

// to = the sum of some rows, from the first to the last of them; those below 0 are none. 32 columns stay in registers.
void SumOfRows(const float* rows, int64_t columns, const int32_t* begin, const int32_t* end, float* to) {
  constexpr int kColumns = 32;
  int64_t column = 0;
  for (; column + kColumns <= columns; column += kColumns) {
    float sums[kColumns] = {};
    for (const int32_t* which = begin; which < end; ++which) {
      if (*which < 0) continue;
      const float* row = rows + *which * columns + column;
      for (int k = 0; k < kColumns; ++k) sums[k] += row[k];
    }
    for (int k = 0; k < kColumns; ++k) to[column + k] = sums[k];
  }
  for (; column < columns; ++column) {
    float sum = 0;
    for (const int32_t* which = begin; which < end; ++which)
      if (*which >= 0) sum += rows[*which * columns + column];
    to[column] = sum;
  }
}

// Fewer sums are not worth another thread.
constexpr int64_t kPartSums = 256;

template <class Work>
void ForParts(OpKernelContext* context, int64_t count, const Work& work) {
  const int64_t parts = std::max<int64_t>(1, count / kPartSums);
  Phases::Run(context, {{parts, [&](int64_t part) {
                           for (int64_t k = count * part / parts; k < count * (part + 1) / parts; ++k) work(k);
                         }}});
}

absl::Status ExpectRows(const Tensor& which, int64_t count) {
  for (int64_t k = 0; k < which.NumElements(); ++k)
    if (const int32_t row = which.flat<int32_t>()(k); row >= count)
      return InvalidArgument("which: got ", row, "; expected at most ", count - 1);
  return absl::OkStatus();
}

class SumRowsOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &rows = context->input(0), &which = context->input(1);
    OP_REQUIRES(context, rows.dims() == 2 && which.dims() == 2,
                InvalidArgument("rows and which: got ranks ", rows.dims(), " and ", which.dims(), "; expected 2, 2"));
    OP_REQUIRES_OK(context, ExpectRows(which, rows.dim_size(0)));
    const int64_t count = which.dim_size(0), terms = which.dim_size(1), columns = rows.dim_size(1);
    Tensor* sums;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({count, columns}), &sums));
    const float* from = rows.flat<float>().data();
    const int32_t* terms_data = which.flat<int32_t>().data();
    float* to = sums->flat<float>().data();
    ForParts(context, count, [&](int64_t sum) {
      SumOfRows(from, columns, terms_data + sum * terms, terms_data + (sum + 1) * terms, to + sum * columns);
    });
  }
};

REGISTER_KERNEL_BUILDER(Name("LengthwiseSumRows").Device(tensorflow::DEVICE_CPU), SumRowsOp);

// Each row's gradient is summed by one thread in the order of the sums that it is in.
class SumRowsGradOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &by_sums = context->input(0), &which = context->input(1);
    OP_REQUIRES_OK(context, Expect("count", context->input(2), {}));
    const int64_t count = context->input(2).scalar<int32_t>()();
    OP_REQUIRES(context, by_sums.dims() == 2 && which.dims() == 2 && by_sums.dim_size(0) == which.dim_size(0),
                InvalidArgument("by_sums and which: got ", by_sums.shape().DebugString(), " and ",
                                which.shape().DebugString(), "; expected as many rows in two dimensions"));
    OP_REQUIRES(context, count >= 0, InvalidArgument("count: got ", count, "; expected at least 0"));
    OP_REQUIRES(context, which.NumElements() < INT32_MAX,
                InvalidArgument("which: got ", which.NumElements(), " terms; expected fewer than 2^31"));
    OP_REQUIRES_OK(context, ExpectRows(which, count));
    const int64_t sums = which.dim_size(0), terms = which.dim_size(1), columns = by_sums.dim_size(1);
    const int32_t* terms_data = which.flat<int32_t>().data();
    // The sums that a row is in, by counting.
    std::vector<int32_t> end(count + 1, 0), in(which.NumElements());
    for (int64_t k = 0; k < which.NumElements(); ++k)
      if (terms_data[k] >= 0) ++end[terms_data[k] + 1];
    for (int64_t row = 0; row < count; ++row) end[row + 1] += end[row];
    const std::vector<int32_t> begin(end);
    for (int64_t sum = 0; sum < sums; ++sum)
      for (int64_t k = sum * terms; k < (sum + 1) * terms; ++k)
        if (terms_data[k] >= 0) in[end[terms_data[k]]++] = static_cast<int32_t>(sum);
    Tensor* by_rows;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({count, columns}), &by_rows));
    const float* from = by_sums.flat<float>().data();
    float* to = by_rows->flat<float>().data();
    ForParts(context, count, [&](int64_t row) {
      SumOfRows(from, columns, in.data() + begin[row], in.data() + begin[row + 1], to + row * columns);
    });
  }
};

REGISTER_KERNEL_BUILDER(Name("LengthwiseSumRowsGrad").Device(tensorflow::DEVICE_CPU), SumRowsGradOp);

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_CONVOLUTION_OP_H_
