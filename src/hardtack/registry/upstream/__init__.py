"""The pull-through cache: repositories of other registries, fetched when they are asked for, and kept.

It promises that content is verified before it is kept, that one fetch serves all who wait for it in a process, that
what is held is served when the upstream cannot be asked, and that nothing is fetched for who may not pull it. Rights
are decided before it is asked, by the name that a repository has here.
"""
