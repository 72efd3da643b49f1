ALTER TABLE users RESET (
    autovacuum_analyze_threshold,
    autovacuum_vacuum_threshold
);

DROP TABLE sessions;
