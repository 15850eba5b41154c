"""Texts to vectors, with the static embeddings that the package wordllama bundles: nothing is fetched at run time.

A text's vector is the mean of its tokens' vectors, at length 1 (https://github.com/dleemiller/WordLlama).
"""

from __future__ import annotations

import importlib.util
import json
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 256
MAX_TOKENS = 2048  # of a text: what comes behind no longer moves its mean by much
_AT_ONCE = 4096  # tokens whose vectors are added up together: 4 MB
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
Vectors = NDArray[np.float32]


class Embedder:
    """Loaded when it is first asked: 25 MB that a process without searches does not need."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._weights: NDArray[Any] | None = None
        self._tokenizer: Any = None

    def embed(self, texts: Sequence[str]) -> Vectors:
        """An array of (texts, DIMENSIONS); a text without a known token gives zeros."""
        weights, tokenizer = self._load()
        found = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        rows: list[int] = []  # of the texts that the tokens in `ids` are of
        ids: list[int] = []
        for row, encoding in enumerate(tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)):
            if len(ids) > _AT_ONCE:
                _sum(weights, rows, ids, found)
            tokens = encoding.ids[:MAX_TOKENS]
            rows += [row] * len(tokens)
            ids += tokens
        _sum(weights, rows, ids, found)
        return normalised(found)

    def _load(self) -> tuple[NDArray[Any], Any]:
        with self._lock:
            if self._weights is None:
                from tokenizers import Tokenizer

                spec = importlib.util.find_spec("wordllama")  # the package itself is not imported: its files are what is wanted
                assert spec is not None
                assert spec.origin is not None
                home = Path(spec.origin).parent
                self._tokenizer = Tokenizer.from_file(str(home / _TOKENIZER))
                self._tokenizer.no_padding()
                self._weights = _read(home / _WEIGHTS)
            return self._weights, self._tokenizer


def _sum(weights: NDArray[Any], rows: list[int], ids: list[int], found: Vectors) -> None:
    """Each row's tokens together, which has the direction of their mean; the lists are empty then.

    A token that a text has often is read and added once, as often as it is there: a long text has few others.
    """
    if ids:
        places, counts = np.unique(np.array(rows, dtype=np.int64) * len(weights) + np.array(ids, dtype=np.int64), return_counts=True)
        of, tokens = np.divmod(places, len(weights))
        known, at = np.unique(tokens, return_inverse=True)
        vectors = weights[known].astype(np.float32)[at]
        vectors *= counts[:, None].astype(np.float32)
        starts = np.flatnonzero(np.diff(of, prepend=-1))
        found[of[starts]] = np.add.reduceat(vectors, starts, axis=0)
    rows.clear()
    ids.clear()


def _read(path: Path) -> NDArray[Any]:
    """The one matrix of a safetensors file, mapped and not read (https://huggingface.co/docs/safetensors, format)."""
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    ((_, about),) = [item for item in header.items() if item[0] != "__metadata__"]
    kinds = {"F16": "<f2", "F32": "<f4"}
    start, _ = about["data_offsets"]
    mapped = np.memmap(path, dtype=kinds[about["dtype"]], mode="r", offset=8 + size + start, shape=tuple(about["shape"]))
    return mapped.view(np.ndarray)  # what is read of it makes plain arrays


def normalised(vectors: Vectors) -> Vectors:
    """Each at length 1; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return found
