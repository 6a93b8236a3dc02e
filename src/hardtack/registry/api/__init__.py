"""The distribution API, one module per noun; requests come in here and nowhere else.

Source: OCI distribution-spec 1.1 and its development version; Docker Registry HTTP API V2.
"""
