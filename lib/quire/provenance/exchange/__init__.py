"""Exchange with other formats: OpenTelemetry spans, W3C PROV, published runs, Inspect logs."""
