"""The suffixes of long chunks, found without looking at all of the chunk.

spaCy takes a chunk such as `!!!!!!` apart from its ends, one suffix after another, and looks for each in all of the
rest. So a chunk of n characters costs n² steps: 16,000 exclamation marks take half a minute. A suffix stands at the
end, and is short: it is found among the last characters alone.
"""

import re
from collections.abc import Callable

# Characters at the end of a chunk that are looked at first.
REACH = 64
# Of these languages some pattern is neither shorter than `REACH` nor a run of dots.
WIDE_SUFFIXES = ("el", "hu")


def search_at_end(pattern: re.Pattern[str], reach: int = REACH) -> Callable[[str], re.Match[str] | None]:
    r"""What `pattern.search` gives, for a pattern whose matches all end where the text ends.

    >>> search_at_end(re.compile(r"\.\.+$|!$"), 4)("so " + "." * 9)[0]
    '.........'

    Args:
        pattern: its alternatives are shorter than `reach`, or runs of one kind of character, such as `\.\.+$`. A match
            of such a run that begins before the last `reach` characters fills them: then more are looked at.
        reach: how many characters are looked at first.
    """

    def search(text: str) -> re.Match[str] | None:
        width = reach
        while width < len(text):
            # A lookbehind sees what stands before this place.
            begin = len(text) - width
            found = pattern.search(text, begin)
            if found is None or found.start() > begin:
                return found
            width *= 2
        return pattern.search(text)

    return search
