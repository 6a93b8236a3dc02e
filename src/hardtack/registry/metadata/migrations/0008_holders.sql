-- A manifest that a hundred thousand repositories have is found in one of them without looking at the others.
CREATE INDEX manifest_holder ON manifest (digest, repository);
DROP INDEX manifest_digest;
