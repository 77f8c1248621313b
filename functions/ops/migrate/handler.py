"""Run by CloudFormation during a deployment, before any function's new code: migrate the schema."""

from ops.migrate.deployment import custom_resource
from ops.migrate.schema import migrate_schema

handler = custom_resource(migrate_schema)
