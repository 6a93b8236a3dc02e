-- The collector finds empty repositories among those that hold no bytes, instead of looking through all of them.
CREATE INDEX repository_empty ON repository (id) WHERE size = 0;
