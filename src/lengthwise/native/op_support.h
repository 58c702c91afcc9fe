// What the operations share: names of TensorFlow's, errors, rows by falling length.

#ifndef LENGTHWISE_OP_SUPPORT_H_
#define LENGTHWISE_OP_SUPPORT_H_

#include <algorithm>
#include <numeric>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
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

}  // namespace
}  // namespace lengthwise

#endif  // LENGTHWISE_OP_SUPPORT_H_
