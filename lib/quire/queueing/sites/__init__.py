"""Several sites with one dispatcher.

Read ``routing`` (a routing rule over sites with policies of their own), then ``joint_routing``
(routing and allocation decided together, setups cancelled freely) and ``joint_committed`` (the
same where setups are commitments).
"""
