"""What a step has to do: modules of a model, what a layer costs, batches that vary.

Read ``modules``, then ``costs``, then ``batches``.
"""
