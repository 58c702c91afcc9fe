"""What the model card says of networks that were trained on blogs."""

from lengthwise.reports.model_card import CardWords

MISUSE = """\
They are for research and teaching: what padding, bucketing, packing, truncation and the other techniques are worth,
compared on the same data, split and seeds.

**Do not profile anybody with them.** They are not for guessing the gender or the age of a person, or of the author of a
text, and not for advertising, hiring, moderation, policing, or finding out who wrote something:

- They know the classes above and nothing else. Two genders, and age brackets with gaps between them, are what a corpus
  of 2004 recorded, not what people are.
- {wrong}
- They learned from English blogs of that time. Other texts get an answer as well, and nothing says that it means
  anything.
- A probability that they give is one over these classes and this corpus, not over people."""

TERMS = """\
The pipeline is made for the Blog Authorship Corpus (J. Schler, M. Koppel, S. Argamon and J. Pennebaker, *Effects of Age
and Gender on Blogging*, AAAI Spring Symposium, 2006), whose authors ask for that citation and allow non-commercial
research. Its texts are other people's, who were not asked: do not publish them ([data/README.md](data/README.md)). A
network that was trained on them is bound by the same terms; the code is Apache-2.0."""

INVENTED = """\
**This run is on the sample corpus, which is invented** (`lengthwise.corpora.blogs.sample`): the figures below say that
the pipeline works, not what the networks are worth. After a run on the real corpus `make readme` writes this card
again."""

WORDS = CardWords(MISUSE, TERMS, INVENTED)
