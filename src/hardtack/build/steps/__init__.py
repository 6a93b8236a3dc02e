"""The instructions that change files: what each depends on, and how it is carried out."""
