-- explicit: somebody made the repository or set something, so it stays when it is empty. A name that begins with ~, which
-- none of a repository's does, is of one that was deleted and whose content goes step by step.
ALTER TABLE repository ADD COLUMN explicit INTEGER NOT NULL DEFAULT 0;
CREATE INDEX repository_shown ON repository (visibility, name);
-- held: the repository linked to the blob when the manifest was deleted, so it gets it back; what it never had it does not
-- get by undeleting either.
ALTER TABLE grave_need ADD COLUMN held INTEGER NOT NULL DEFAULT 1;
CREATE INDEX grave_subject ON grave (repository, subject) WHERE subject <> '';
-- What happened in a repository, whichever tag it was.
CREATE INDEX tag_event_repository ON tag_event (repository, id)
