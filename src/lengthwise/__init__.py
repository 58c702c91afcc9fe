"""Training recurrent networks on sequences of different lengths.

Words: a *sequence* of tokens (a sentence, a document, or all of an author) is cut into *spans*; a *row* of a *batch*
holds spans one after another; a *plan* is an epoch of batches, made from lengths alone. Where a sequence begins the
state is *reset*; what fills a row up is *padding*. A *lane* is one row of all batches, in which a sequence goes on from
*window* to window, its state *carried*. A *kernel* computes a recurrent layer: Keras step by step, or the *native* one
over rows laid out *flat*, without padding. The *lexicon* has all distinct tokens of the corpus, the
*vocabulary* those that models know. A *label factor* is a property that is predicted (here gender and age bracket),
the *joint class* all factors in one index.

Shapes: B rows, T padded width, D features, C joint classes, S sequences or spans, P predictions, N whatever the
docstring says. A shape is written `tokens: int32 (B, T)`.

Imports go to the right only, and a test walks them:

    stages, cli, sweeps, ablations -> predict, reports -> training -> evaluation -> models -> layers, losses -> native
    training, evaluation, models -> batching -> shards -> vocabulary -> splits -> text -> corpus
    all of them -> bursts, files, labels, parallel, progress, published, ragged, seals, strict_yaml, errors

TensorFlow is imported in native, layers, models, losses, training, predict, and in `batching.fit`, which gives plans to
any Keras model. Only stages, ablations, sweeps and the command line read params.
"""
