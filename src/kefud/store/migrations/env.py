"""Runs the migrations on the connection that `kefud.store.schema` hands over."""

from alembic import context

from kefud.store.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True, transactional_ddl=False)
with context.begin_transaction():
    context.run_migrations()
