"""What children need: imported once, by the nursery or by the process it is forked from."""

PRELOAD = ("kefud.hosts", "kefud.mime", "email.mime.text", "imapclient", "smtplib", "ssl", "json", "csv")
