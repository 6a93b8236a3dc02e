"""Where the files of a build come from: patterns, what is ignored, trees that are read without leaving them."""
