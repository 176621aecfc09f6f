"""The people cared for, their homes, families and consent."""
