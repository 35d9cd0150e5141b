"""The data that comes with netc. README.md says where it is from and whose it is."""
