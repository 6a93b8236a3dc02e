"""What repositories are beside their content: made, described, found, renamed, deleted, brought back, accounted for."""
