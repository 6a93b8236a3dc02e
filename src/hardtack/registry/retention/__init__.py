"""Retention: which tags and manifests go by themselves, by rules that are pure, with a dry run that names each."""
