"""Rendering before, parsing after: templates and regexes are hostile, so they run in children without any rights."""
