import numpy as np
import pytest
from closeness import assert_close
from forward_pass import forward_of

from lengthwise.errors import ArgumentError, FormatError
from lengthwise.generation import generate, joined
from lengthwise.models.prediction import predict_next, predict_steps
from lengthwise.predictor import Predictor
from lengthwise.prepare.vocabulary import PAD, UNK, Vocabulary

LETTERS = "abcdefghijklmnopqr"
VOCABULARY = Vocabulary((PAD, UNK, *LETTERS), (0,) * 20)
CELLS = [{}, {"cell": "lstm", "layers": 2}, {"affixes": 2}, {"cell": "layer_norm_gru"}, {"ensemble": 2}]


@pytest.fixture
def make_predictor(kept_network):
    def make(task="language_model", **changes):
        return Predictor(forward_of(kept_network(task, **changes)), VOCABULARY, list)

    return make


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("task", "changes"), [*(("language_model", changes) for changes in CELLS), ("tagger", {}), ("seq2seq", CELLS[1])]
)
def test_a_stream_says_after_every_token_what_the_whole_text_says_there(make_predictor, task, changes):
    predictor = make_predictor(task, **changes)
    texts = [list("hello"), list("a"), list("queenofarmr")]
    expected = predictor.every_step(texts)
    stream, found = predictor.stream(), []
    for text in texts:
        stream.restart()
        found += [stream.push(token) for token in text]
    assert_close(np.array(found), expected, 1e-5)
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(("changes", "temperature"), zip(CELLS, (0.7, 0.0, 0.7, 0.7, 0.0), strict=True))
def test_what_is_generated_with_a_carried_state_is_what_reading_all_again_gives(make_predictor, changes, temperature):
    predictor = make_predictor(**changes)
    made = list(generate(predictor, list("fed"), most=12, temperature=temperature, seed=3))
    rng, text = np.random.default_rng(3), list("fed")
    for token in made:
        logits = np.log(predictor.every_step([text])[-1].astype(np.float64))
        logits[:2] = -np.inf
        scores = logits if temperature == 0 else logits / temperature + rng.gumbel(size=len(logits))
        assert VOCABULARY.tokens[int(scores.argmax())] == token
        text.append(token)
    assert list(generate(predictor, list("fed"), most=12, temperature=temperature, seed=3)) == made


def test_draws_follow_the_probabilities_of_the_network(make_predictor):
    predictor = make_predictor()
    expected = predictor.every_step([["a"]])[0].astype(np.float64)
    expected[:2] = 0
    expected /= expected.sum()
    drawn = [next(generate(predictor, ["a"], most=1, seed=seed)) for seed in range(60)]
    counts = np.array([drawn.count(token) for token in VOCABULARY.tokens])
    assert counts[:2].sum() == 0
    assert (abs(counts - 60 * expected) <= 5 * np.sqrt(60 * expected) + 1).all()


def test_generation_needs_a_language_model_and_a_beginning(make_predictor):
    with pytest.raises(FormatError, match="model: is a classifier; expected a language_model"):
        next(generate(make_predictor("classifier"), ["a"], most=1))
    with pytest.raises(ArgumentError, match="beginning: has no token"):
        next(generate(make_predictor(), [], most=1))
    for temperature in (-1.0, float("nan")):
        with pytest.raises(ArgumentError, match="temperature: got"):
            next(generate(make_predictor(), ["a"], most=1, temperature=temperature))


def test_tokens_are_joined_as_texts_were_cut():
    assert joined(["T", "o", "\n"], "characters") == "To\n"
    assert joined(["<0xC3>", "<0xB6>", "!"], "bytes") == "ö!"
    assert joined(["To", "be"], "blanks") == "To be"


def test_next_tokens_are_rated_as_the_softmax_at_the_step_before_says(kept_network, make_sequences):
    network, sequences = kept_network("language_model"), make_sequences([5, 1, 9, 2, 30])
    steps, following = predict_steps(network, sequences), predict_next(network, sequences)
    tokens, ends = sequences["tokens"], set((sequences.offsets[1:] - 1).tolist())
    for step in range(len(tokens)):
        if step in ends:
            assert following.log_probability[step] == 0
        else:
            assert following.log_probability[step] == pytest.approx(steps[step, tokens[step + 1]], rel=1e-5)
            assert following.predicted[step] == steps[step].argmax()
