// The kernel of kernel.h as TensorFlow operations, one a header; shapes and meanings are documented in ops.py. They are
// one file to the compiler, since TensorFlow's headers take it longer than all of them.

#include "adam_op.h"
#include "batch_op.h"
#include "convolution_op.h"
#include "dropout_op.h"
#include "layout_op.h"
#include "recurrent_op.h"
