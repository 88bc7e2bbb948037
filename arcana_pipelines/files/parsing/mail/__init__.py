"""Mail as it lies in files: of the internet (RFC 5322, MIME) and of Outlook ([MS-OXMSG])."""
