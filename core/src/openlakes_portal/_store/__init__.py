"""The portal's own database: sessions, audit records, plugins' documents, idempotency keys."""
