"""Pages and parts of pages that are written from executed ledgers when the book is built.

Read in this order: `markup` (HTML that several of them share), `glance` (the head of a chapter),
`scoreboard` (claims and findings; checks and targets), `overview` (the chapters' cards on the first
page) and `status` (which run made which page).
"""
