"""Mail servers for tests: a private Dovecot, a scripted IMAP server, a scripted SMTP server. Loopback only."""
