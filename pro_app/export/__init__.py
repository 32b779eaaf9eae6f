"""Researchers' files: one module a format, all fed by the same tables (`table.Table`).

A format takes a table and a path and knows neither database nor web.
"""
