"""SpeedSnake: measures a line every interval and keeps every answer."""
