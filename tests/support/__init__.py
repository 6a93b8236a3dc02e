"""What tests of several folders share: worlds that are taken down, images made here, layouts."""
