"""What signals need in practice.

``rates`` (how often order is lost), ``microwave`` (the fastest links), ``consolidated_feed`` (the
SIP), ``auctions`` (batches), ``placement`` (where to stand).
"""
