"""The sandbox that users' functions run in: processes that see neither files, network nor each other."""
