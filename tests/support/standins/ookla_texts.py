"""What Ookla's CLI writes besides results: banners, log records, error lines."""

LICENCE = """\
==============================================================================

You may only use this Speedtest software and information generated
from it for personal, non-commercial use, through a command line
interface on a personal computer.

==============================================================================

To accept the message please run speedtest interactively or use the following:

speedtest --accept-license

"""
PRIVACY = """\
==============================================================================

Ookla collects certain data through Speedtest that may be considered
personally identifiable, such as your IP address.

==============================================================================

To accept the message please run speedtest interactively or use the following:

speedtest --accept-gdpr

"""
ACCEPTED = "License acceptance recorded. Continuing.\n\n"
NO_HOME = """\
terminate called after throwing an instance of 'std::logic_error'
  what():  basic_string::_M_construct null not valid
"""
CONFIGURATION = """\
[2024-03-09 15:25:12.618] [error] Configuration - Couldn't resolve host name (HostNotFoundException)
[2024-03-09 15:25:12.619] [error] ConfigurationError - Could not retrieve or read configuration (Configuration)
"""
LIMIT = """\
[2024-03-09 15:25:12.288] [error] Limit reached:

Speedtest CLI. Too many requests received. To maintain a fair and stable environment,
please review and adjust the frequency of your requests.
"""
DOWNLOADING = (
    '{"type":"ping","timestamp":"2024-03-09T14:25:11Z","ping":{"jitter":2.1,"latency":15.3,"progress":1}}\n'
    '{"type":"download","timestamp":"2024-03-09T14:25:15Z",'
    '"download":{"bandwidth":31250000,"bytes":93750000,"elapsed":3000,"latency":{"iqm":22.5},"progress":0.42}}\n'
)
UPLOADING = (
    '{"type":"upload","timestamp":"2024-03-09T14:25:30Z",'
    '"upload":{"bandwidth":1500000,"bytes":7500000,"elapsed":5000,"progress":0.64}}\n'
)
TEST_START = '{"type":"testStart","timestamp":"2024-03-09T14:25:10Z","isp":"Example Fibre"}\n'
USAGE_OF_SPEEDTEST_CLI = """\
usage: speedtest-cli [-h] [--no-download] [--no-upload] [--single] [--bytes]
speedtest-cli: error: unrecognized arguments: --format=json --accept-license --accept-gdpr
"""


def log(message: str) -> str:
    """Return a log record as the program writes it to stderr; `message` is already escaped for JSON."""
    return f'{{"type":"log","timestamp":"2024-03-09T14:25:12Z","message":"{message}","level":"error"}}\n'


UNRETRIEVED = log("Configuration - Could not retrieve or read configuration (ConfigurationError)")
NOT_SAVED = log('Failed to save settings: Permission denied [system:13]: \\"/nowhere/.config/ookla\\"')
NO_SERVERS = log("Configuration - No servers defined (NoServersException)")
NO_SOCKET = log("Error: [0] Cannot open socket")
NO_ROUTE = log("Error: [113] Host is unreachable")
