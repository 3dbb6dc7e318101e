"""The measuring program for ndt7, `python -m speedtest.ndt7_test`: one stream each way, over a WebSocket.

ndt7 is M-Lab's protocol (github.com/m-lab/ndt-server, spec/ndt7-protocol.md): a WebSocket of the subprotocol
`net.measurementlab.ndt.v7`, binary messages as load, and texts of JSON in which both sides tell what they measure.

One stream shows what several hide: loss on the way, and limits for each connection. So its figures are a diagnosis
beside those of other programs, and never replace them.

It runs as a child and takes its connections, its timing and its words from `speedtest.http_test`.
"""
