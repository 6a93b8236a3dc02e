"""Writing the files of COPY, ADD and WORKDIR into a root file system that somebody else's images made."""
