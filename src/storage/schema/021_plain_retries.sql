-- 1: written as max_retries, retry_delay and retry_backoff of jobs; an export writes it so again.
ALTER TABLE failure_handlers ADD COLUMN is_plain INTEGER NOT NULL DEFAULT 0;
