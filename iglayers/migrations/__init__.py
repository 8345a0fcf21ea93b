"""The schema, file by file: `NNNN_what_it_does.sql`, forward only. `schema.sql` is the whole of it, generated."""
