-- The schema registry keeps its schemas in a database of its own. PostgreSQL's image runs this when it creates the cluster.
create database registry;
