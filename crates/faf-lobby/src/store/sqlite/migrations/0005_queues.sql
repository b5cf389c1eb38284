-- Parties, searches and violations of the matchmaker, as JSON, for the next start of the server.
CREATE TABLE saved_queues (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  state TEXT NOT NULL
) STRICT;
