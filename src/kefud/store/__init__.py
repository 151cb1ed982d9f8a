"""The part that remembers: database, tables, and what may be asked of them. SQL stands here and nowhere else."""
