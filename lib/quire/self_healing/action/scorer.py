"""A diagnosis without a language model: three channels, weighed on the supports alone.

``s(root) = a1 votes + a2 graph + a3 log prior``: what the nearest supports were, what the graph
evidence points to, and how frequent a root is. A softmax makes probabilities of the scores; the
weights minimise the log-loss of the supports, each left out in turn. The action is voted among the
nearest supports with the chosen root.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from jaxtyping import Bool, Float

from quire import checks
from quire.self_healing.action.cases import Case, EvidenceEdge
from quire.self_healing.perception.masking import mask
from quire.self_healing.perception.retrieval import similarities
from quire.signatures import checked

CHANNELS = ("text", "graph", "prior")
_WEIGHTS = ((0.0, 2.0, 4.0, 8.0), (0.0, 2.0, 4.0), (0.0, 1.0))
_NEIGHBOURS = (1, 3, 5)


@dataclass(frozen=True)
class Diagnosis:
    """An answer with what speaks for it.

    Attributes
    ----------
    root, action
        The most probable root, and the action voted for it.
    probabilities
        Of every root.
    supports
        Places of the nearest supports with that root, at most three, the nearest first.
    """

    root: str
    action: str
    probabilities: dict[str, float]
    supports: tuple[int, ...]


@dataclass(frozen=True)
class Scorer:
    """Weights of the channels.

    Attributes
    ----------
    k
        How many nearest supports vote.
    votes, graph, prior
        The weights a1, a2, a3.
    """

    k: int = 3
    votes: float = 4.0
    graph: float = 0.0
    prior: float = 0.0


@checked
@dataclass(frozen=True)
class Library:
    """Labelled cases of one system, with everything that a diagnosis needs of them.

    Attributes
    ----------
    roots, actions
        The right answers.
    similarity
        Of every two cases.
    sources
        For every case: how strongly each template reaches its alert in the graph evidence.
    """

    roots: tuple[str, ...]
    actions: tuple[str, ...]
    similarity: Float[np.ndarray, "n n"]
    sources: tuple[dict[str, float], ...]

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The roots that occur, sorted."""
        return tuple(sorted(set(self.roots)))

    @cached_property
    def truth(self) -> Float[np.ndarray, "n r"]:
        """One row a case, 1 at its root."""
        return np.array([[float(root == label) for label in self.labels] for root in self.roots])

    @cached_property
    def reach(self) -> Float[np.ndarray, "n s"]:
        """How strongly each source template (column) reaches each case (row)."""
        names = sorted({name for item in self.sources for name in item})
        table = [[item.get(name, 0.0) for name in names] for item in self.sources]
        return np.array(table, dtype=float).reshape(len(self.roots), len(names))

    @cached_property
    def seen_with(self) -> Float[np.ndarray, "n sr"]:
        """For every case (row) whether it has a source and a root, all pairs side by side."""
        held = (self.reach > 0).astype(float)
        return (held[:, :, None] * self.truth[:, None, :]).reshape(len(held), -1)


@checked
def library_of(cases: Sequence[Case], level: float) -> Library:
    """Return the cases of one system at a level of noise.

    Raises
    ------
    ValueError
        For no case, or cases of two systems.
    """
    if not cases or len({case.system for case in cases}) != 1:
        raise ValueError("cases = none, or of several systems: must be of one system")
    views = [case.view(level) for case in cases]
    return Library(
        tuple(case.root for case in cases),
        tuple(case.action for case in cases),
        similarities([mask(view.text) for view in views]),
        tuple(reachability(view.edges) for view in views),
    )


@checked
def reachability(edges: Sequence[EvidenceEdge]) -> dict[str, float]:
    """Return for every template how strongly it reaches an effect, over at most two edges.

    The strength of a path is the product of ``tanh |weight|``; the best path counts.
    """
    strength: dict[tuple[str, str], float] = {}
    for edge in edges:
        pair = (edge.source, edge.target)
        strength[pair] = max(strength.get(pair, 0.0), float(np.tanh(abs(edge.weight))))
    best: dict[str, float] = {}
    for (source, target), value in strength.items():
        best[source] = max(best.get(source, 0.0), value)
        for (middle, end), more in strength.items():
            if middle == target and end != source:
                best[source] = max(best.get(source, 0.0), value * more)
    return best


@checked
def diagnose(
    library: Library,
    query: int,
    allowed: Bool[np.ndarray, "n n"],
    scorer: Scorer | None = None,
    channels: Sequence[str] = CHANNELS,
) -> Diagnosis:
    """Return the diagnosis of one case from the others.

    Parameters
    ----------
    library
        The cases.
    query
        Which one is asked for; its labels are not looked at.
    allowed
        ``[query, support]``, from `leakage.allowed_support`.
    scorer
        Weights; None fits them on the supports.
    channels
        Which channels may be weighed.

    Raises
    ------
    ValueError
        For a query that is not there, a query that may support itself, or an unknown channel.
    """
    n = len(library.roots)
    checks.integer("query", query, 0, n - 1)
    allowed = checks.truths("allowed", allowed, (n, n))
    if allowed[query, query]:
        raise ValueError(f"allowed[{query}, {query}] = True: no case may support itself")
    for channel in channels:
        if channel not in CHANNELS:
            raise ValueError(f"channels = {channel!r}: must be among {', '.join(CHANNELS)}")
    support = allowed[query]
    if scorer is None:
        scorer = fit_scorer(library, support, allowed, channels)
    scores = _scores(library, support, allowed, scorer)[query]
    probabilities = _softmax(scores[None])[0]
    root = library.labels[int(probabilities.argmax())]
    order = np.argsort(-library.similarity[query], kind="stable")
    near = [int(j) for j in order if support[j] and library.roots[j] == root]
    if near:
        voters: Counter[str] = Counter()
        for j in near[: max(scorer.k, 1)]:
            voters[library.actions[j]] += library.similarity[query, j] + 1e-9  # type: ignore[assignment]
        action = max(sorted(voters), key=voters.__getitem__)
    else:
        action = ""
    named = dict(zip(library.labels, (float(p) for p in probabilities), strict=True))
    return Diagnosis(root, action, named, tuple(near[:3]))


@checked
def root_probabilities(
    library: Library,
    support: Bool[np.ndarray, " n"],
    allowed: Bool[np.ndarray, "n n"],
    scorer: Scorer,
) -> Float[np.ndarray, "n r"]:
    """Return the probability of every root (column, by `Library.labels`) for every case (row).

    Parameters
    ----------
    library
        The cases.
    support
        Which cases may support at all.
    allowed
        ``[query, support]``: of these, which may support whom.
    scorer
        Weights.

    Raises
    ------
    ValueError
        For arrays that do not fit.
    """
    n = len(library.roots)
    support = checks.truths("support", support, (n,))
    allowed = checks.truths("allowed", allowed, (n, n))
    return _softmax(_scores(library, support, allowed, scorer))


@checked
def fit_scorer(
    library: Library,
    support: Bool[np.ndarray, " n"],
    allowed: Bool[np.ndarray, "n n"],
    channels: Sequence[str] = CHANNELS,
) -> Scorer:
    """Return the weights with the least log-loss over the supports, each left out in turn."""
    n = len(library.roots)
    support = checks.truths("support", support, (n,))
    allowed = checks.truths("allowed", allowed, (n, n))
    inside = np.flatnonzero(support)
    if len(inside) < 2:
        return Scorer(votes=0.0, prior=1.0)
    grids = [
        grid if name in channels else (0.0,) for name, grid in zip(CHANNELS, _WEIGHTS, strict=True)
    ]
    truth = library.truth[inside]
    graph = _graph(library, support, allowed)[inside]
    prior = _prior(library, support, allowed)[inside]
    weights = np.array(list(product(*grids)))
    best: tuple[float, Scorer] | None = None
    for k in _NEIGHBOURS if "text" in channels else _NEIGHBOURS[:1]:
        votes = _votes(library, support, allowed, k)[inside]
        scores = np.einsum("wc,cnr->wnr", weights, np.stack([votes, graph, prior]))
        p = np.exp(scores - scores.max(axis=2, keepdims=True))
        right = (p * truth).sum(axis=2) / p.sum(axis=2)
        losses = -np.log(np.maximum(right, 1e-12)).mean(axis=1)
        least = int(np.argmin(losses.round(12)))
        if best is None or losses[least] < best[0] - 1e-12:
            best = float(losses[least]), Scorer(k, *(float(w) for w in weights[least]))
    return best[1] if best else Scorer()


def _scores(
    library: Library,
    support: Bool[np.ndarray, " n"],
    allowed: Bool[np.ndarray, "n n"],
    scorer: Scorer,
) -> Float[np.ndarray, "n r"]:
    return (
        scorer.votes * _votes(library, support, allowed, scorer.k)
        + scorer.graph * _graph(library, support, allowed)
        + scorer.prior * _prior(library, support, allowed)
    )


def _votes(
    library: Library, support: Bool[np.ndarray, " n"], allowed: Bool[np.ndarray, "n n"], k: int
) -> Float[np.ndarray, "n r"]:
    """Return the share of each root among the k nearest supports, weighed by similarity."""
    weight = np.where(allowed & support[None, :], library.similarity, -1.0)
    order = np.argsort(-weight, axis=1, kind="stable")[:, :k]
    near = np.maximum(np.take_along_axis(weight, order, axis=1), 0.0)
    votes = np.einsum("nk,nkr->nr", near, library.truth[order])
    total = votes.sum(axis=1, keepdims=True)
    return np.where(total > 0, votes / np.where(total > 0, total, 1.0), 1.0 / votes.shape[1])


def _graph(
    library: Library, support: Bool[np.ndarray, " n"], allowed: Bool[np.ndarray, "n n"]
) -> Float[np.ndarray, "n r"]:
    """Return what the evidence's sources point to, by how often each went with each root."""
    usable = (allowed & support[None, :]).astype(float)
    n, r = library.truth.shape
    counts = (usable @ library.seen_with).reshape(n, -1, r) + 1.0 / r
    shares = counts / counts.sum(axis=2, keepdims=True)
    vote = np.einsum("ns,nsr->nr", library.reach, shares)
    total = vote.sum(axis=1, keepdims=True)
    return np.where(total > 0, vote / np.where(total > 0, total, 1.0), 1.0 / r)


def _prior(
    library: Library, support: Bool[np.ndarray, " n"], allowed: Bool[np.ndarray, "n n"]
) -> Float[np.ndarray, "n r"]:
    """Return the logarithm of each root's share among the supports, one case added to each."""
    counts = (allowed & support[None, :]).astype(float) @ library.truth + 1.0
    return np.log(counts / counts.sum(axis=1, keepdims=True))


def _softmax(scores: Float[np.ndarray, "n r"]) -> Float[np.ndarray, "n r"]:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
