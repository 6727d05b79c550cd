"""What stands between a program's name and its text: `[PID]: ` in syslog, `PID MSGID DATA ` in RFC 5424
(6.2)."""

_DATA = rb"\S+ (?:-|\[[^\n]*?\]) (?:\xef\xbb\xbf)?"
_SOLARIS = rb"(?:\[ID \d+ \w+\.\w+\] )?"

TAG = rb"(?:(?:\[\d*\]?)?: | \S+ " + _DATA + rb")" + _SOLARIS
PID_TAG = rb"[\[ :](\d{0,9})(?:\]?: | |-? " + _DATA + rb")" + _SOLARIS
"""The same with the process id as a group. Brackets may be broken or absent."""
