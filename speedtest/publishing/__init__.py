"""Numbers for other systems: MQTT with Home Assistant, stores that speak InfluxDB's line protocol, and a webhook."""
