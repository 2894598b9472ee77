"""The record's schema: strict JSON, fields, profiles, rules between documents, redaction."""
