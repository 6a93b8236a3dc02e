"""The pages for people: repositories, tags, and the layers of an image with the instruction that made each."""
