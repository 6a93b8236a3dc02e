"""A Dockerfile and a context become an image: parse, plan, look up what is known, run the rest, write the image."""
