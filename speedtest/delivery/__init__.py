"""Deliver the files of the lake to a store, each exactly once. Only a child process and commands load this room."""
