"""PostgreSQL at arm's length: the pool with its unit of work, and rows that become Structs."""
