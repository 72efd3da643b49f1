DROP TABLE password_upgrade_queue;
