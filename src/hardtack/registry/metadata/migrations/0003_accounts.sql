-- kind: personal, robot, or refresh, which docker keeps instead of a password.
ALTER TABLE token ADD COLUMN kind TEXT NOT NULL DEFAULT 'personal';
CREATE INDEX token_expires ON token (expires) WHERE expires IS NOT NULL;
CREATE INDEX failure_latest ON failure (latest);
