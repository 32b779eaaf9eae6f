"""Pure rules: instruments, wording, scoring, schedule. No Flask, no database, no clock."""
