"""The description of the API: a table of operations, words for fields, and the OpenAPI 3.1 document made of both.

Schemas come from the structs that the routes read and answer; here stands only what they cannot say.
"""
