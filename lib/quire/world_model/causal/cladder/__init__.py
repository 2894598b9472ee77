"""Questions of the CLadder benchmark, answered from their text: graph, query, numbers, estimand.

Read in this order: ``_text`` (sentences to a graph, a query and tables), ``_roles`` (which node is
the treatment), ``_estimates`` (the estimand that the graph allows, and its sign), ``_boolean``
(deterministic counterfactuals).
"""

from quire.world_model.causal.cladder._answer import Answer, answer

__all__ = ["Answer", "answer"]
