"""Ask the router: what its UPnP IGD or TR-064 service tells without a password. `python -m speedtest.router`.

It needs the standard library only, runs as a child of the daemon and ends at once. `program` says what it prints,
`discovery` how it finds the service, `questions` what it asks, `web` and `xml` what it accepts of an answer.

It talks to one address only, that of the router it was given: never to where an answer points.
"""
