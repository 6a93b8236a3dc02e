"""Images as people name them: find, tag, list, show, remove, save, load, import, pull, push."""
