"""Reading music for training and evaluation, with a progress bar."""

import sys
from pathlib import Path

from tqdm import tqdm

from improv.train.corpus import Corpus, Reading, read_corpus


def read_with_progress(paths: list[Path], reading: Reading, loose_split: str, cache: Path | None = None) -> Corpus:
    """`read_corpus` with a bar on standard error, and every file left out named there.

    Raises:
        ImprovError: see read_corpus.
    """
    with tqdm(desc="reading", unit=" files", leave=False, disable=None) as bar:

        def on_file(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        corpus = read_corpus(paths, reading, loose_split, on_file, cache)
    for path, reason in corpus.skipped:
        print(f"left out {path}: {reason}", file=sys.stderr)
    return corpus
